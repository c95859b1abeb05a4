"""Voiding a closed invoice: nothing is owed of it any more, and nothing is edited.

Recorded as an instruction that every later run reads (dbt_project/models/credits/
voided_invoices.sql); the next close posts what comes back.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from orchestration.billing_run import RunRefused, exclusive
from orchestration.operations import Operations
from orchestration.warehouse import Warehouse, last_run
from orchestration.workspace import Workspace

KIND = "void"
TARGET_TYPE = "invoice"


@dataclass(frozen=True)
class Void:
    """An invoice that the next close voids; `total` as decimal text with currency."""

    instruction_id: str
    invoice_id: str
    invoice_number: str
    total: str


def void(workspace: Workspace, invoice: str, reason: str, actor: str) -> Void:
    """Record that a closed invoice, named by its id or its number, is void.

    Dated at the last build or close, whichever is later, so that the next run hears of
    it and no earlier one does.

    Raises:
        RunRefused: there is no such invoice, it is a draft, or it is void already.
    """
    for name, said in (("reason", reason), ("actor", actor)):
        if not said.strip():
            raise RunRefused(f"--{name} is blank: the books keep it beside the void")
    with exclusive(workspace):
        warehouse = Warehouse(workspace)
        found = _invoice(warehouse, invoice)
        operations = Operations.open(workspace)
        try:
            return _record(operations, warehouse, found, reason.strip(), actor.strip())
        finally:
            operations.close()


def _invoice(warehouse: Warehouse, named: str) -> dict[str, Any]:
    rows = warehouse.rows_or_none(
        "select invoice_id, invoice_number, status, currency, total "
        "from invoicing.invoices order by invoice_id"
    )
    if rows is None:
        raise RunRefused("there is no run yet that closed an invoice: meterhouse run")
    names = ("invoice_id", "invoice_number")
    for row in rows:
        if named in (row[name] for name in names):
            return row
    known = sorted(str(row[name]) for row in rows for name in names)
    near = difflib.get_close_matches(named, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "that table lists them"
    raise RunRefused(f"no invoice {named} in invoicing.invoices: {hint}")


def _record(
    operations: Operations,
    warehouse: Warehouse,
    invoice: dict[str, Any],
    reason: str,
    actor: str,
) -> Void:
    invoice_id, number = str(invoice["invoice_id"]), str(invoice["invoice_number"])
    earlier = operations.instructions(
        kind=KIND, target_type=TARGET_TYPE, target_id=invoice_id
    )
    if earlier:
        raise RunRefused(
            f"invoice {number} was voided by {earlier[0]['actor']} already: "
            f"{earlier[0]['reason']}"
        )
    if invoice["status"] == "VOID":
        raise RunRefused(f"invoice {number} is void already (books.voids)")
    if invoice["status"] == "DRAFT":
        raise RunRefused(
            f"invoice {number} is a draft, which every run makes anew: change the "
            "catalog or the usage, or keep it from being sent (meterhouse hold)"
        )
    total = f"{invoice['total'].normalize():f} {invoice['currency']}"
    instruction_id = operations.add_instruction(
        kind=KIND,
        target_type=TARGET_TYPE,
        target_id=invoice_id,
        actor=actor,
        reason=reason,
        created_at=last_run(warehouse),
        before={"status": invoice["status"], "total": total},
        after={"status": "VOID"},
    )
    return Void(instruction_id, invoice_id, number, total)
