"""A small company that is metered and billed in a test, at 1 USD a unit."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.billing_run import (
    BEFORE_CLOSE,
    READERS,
    BillingRun,
    check_workspace,
    close_books,
    copy_operations,
    land_usage,
)
from orchestration.workspace import Workspace
from tests.standing_views import borrow
from tests.support import instant, rows

OCTOBER = "2026-10-01T00:00Z"


Row = Mapping[str, Any]


def write(folder: Path, name: str, table: Sequence[Row]) -> None:
    columns = list(dict.fromkeys(column for row in table for column in row))
    (folder / "catalog").mkdir(parents=True, exist_ok=True)
    with (folder / "catalog" / f"{name}.csv").open(
        "w", encoding="utf-8", newline=""
    ) as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(table)


def append(folder: Path, name: str, table: Sequence[Row]) -> None:
    """More rows to a catalog file that may have other columns."""
    path = folder / "catalog" / f"{name}.csv"
    there: list[Row] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            there = list(csv.DictReader(file))
    write(folder, name, [*there, *table])


def write_company(folder: Path, metrics: Iterable[tuple[str, Row]]) -> None:
    """Each (customer, metric) with a contract, card and product for it alone; a metric
    of customer x is called x-... or x."""
    (folder / "events").mkdir(parents=True)
    (folder / "meterhouse.yml").write_text("")
    tables: dict[str, list[Row]] = {}
    for customer, metric in metrics:
        name = metric["metric_id"]
        if not any(c["customer_id"] == customer for c in tables.get("customers", [])):
            tables.setdefault("customers", []).append(
                {"customer_id": customer, "name": customer}
            )
            tables.setdefault("rate_cards", []).append(
                {"rate_card_id": customer, "name": customer, "currency": "USD"}
            )
            tables.setdefault("contracts", []).append(
                {
                    "contract_id": customer,
                    "customer_id": customer,
                    "rate_card_id": customer,
                    "starting_at": OCTOBER,
                }
            )
        tables.setdefault("billable_metrics", []).append({"name": name, **metric})
        tables.setdefault("products", []).append(
            {
                "product_id": name,
                "name": name,
                "product_type": "USAGE",
                "metric_id": name,
            }
        )
        tables.setdefault("rates", []).append(
            {
                "rate_id": name,
                "rate_card_id": customer,
                "product_id": name,
                "price_model": "flat",
                "unit_price": "1",
                "starting_at": OCTOBER,
            }
        )
    for table, content in tables.items():
        write(folder, table, content)


def run_metered(folder: Path, as_of: str, *, laws: bool = False) -> BillingRun:
    """As run_until_close, or without the laws, which
    is what a run spends most of its time on."""
    run = BillingRun(Workspace.load(folder), instant(as_of), backfill=True)
    left_out = ("tag:law_after_publish",) if laws else ("test_type:data",)
    borrow(run.workspace.warehouse)
    check_workspace(run.workspace)
    land_usage(run)
    copy_operations(run)
    run.dbt.build(BEFORE_CLOSE, (*READERS, *left_out)).raise_for_failures()
    close_books(run)
    run.dbt.build(READERS, ("test_type:data",)).raise_for_failures()
    return run


def hours(folder: Path) -> dict[str, dict[str, Decimal]]:
    """metric -> hour -> increment in the period that begins in October."""
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows(
        folder,
        "select metric_id, strftime(usage_hour, '%Y-%m-%d %H:%M') as hour, quantity "
        "from rating.usage_by_period as usage "
        "inner join rating.billing_periods as periods using (period_id) "
        "where period_start = timestamp '2026-10-01' and rating_basis = 'open'",
    ):
        found.setdefault(row["metric_id"], {})[row["hour"]] = row["quantity"]
    return found


def october_lines(folder: Path) -> dict[str, tuple[Decimal, Decimal]]:
    """product -> quantity and amount on October's closed invoice."""
    return {
        row["product_id"]: (row["quantity"], row["amount"])
        for row in rows(
            folder,
            "select lines.* from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            "where invoices.period_start = timestamp '2026-10-01' "
            "and invoices.status = 'FINALIZED'",
        )
    }
