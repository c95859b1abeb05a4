"""Why this line? The very events behind a usage line, with the share of each; what was
carried into the period, and the hours of an SQL metric, in rows of their own.

The SQL is a macro of the dbt project (macros/line_events.sql). It is compiled as of the
last run and read here; nothing of the workspace is written.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.billing_run import RunRefused, exclusive
from orchestration.dbt_runner import Dbt
from orchestration.warehouse import Warehouse
from orchestration.workspace import Workspace

_LINE_ID = re.compile(r"il_[0-9a-f]{24}")


@dataclass(frozen=True)
class LineEvents:
    """A usage line, and its events in time. The shares of `events` add up to the line's
    quantity; `shared` is that sum. What is no event has no transaction_id, and `source`
    says what it is."""

    line: dict[str, Any]
    events: tuple[dict[str, Any], ...]

    @property
    def shared(self) -> Decimal:
        return sum((event["share"] for event in self.events), Decimal(0))


def line_events(workspace: Workspace, line_id: str) -> LineEvents:
    """The events of a usage line, drafts and closed lines alike.

    Raises:
        RunRefused: there was no run yet, one is under way, or no usage line has the id.
        DbtError: the query could not be compiled.
    """
    warehouse = Warehouse(workspace)
    with exclusive(workspace):
        build = warehouse.rows_or_none("select as_of from ops.build")
        lines = (
            warehouse.rows_or_none(
                "select lines.*, invoices.customer_id from invoicing.invoice_lines as "
                "lines inner join invoicing.invoices as invoices using (invoice_id) "
                f"where lines.line_id = '{line_id}' and lines.line_type = 'usage'"
            )
            if _LINE_ID.fullmatch(line_id)
            else []
        )
        if not build:
            raise RunRefused("There was no run yet: run `meterhouse run` first.")
        if not lines:
            raise RunRefused(
                f"No usage line has the id '{line_id}'. Ids begin with il_; they "
                "stand in the column line_id of invoicing.invoice_lines. Lines of "
                "other types have no events."
            )
        dbt = Dbt(
            workspace,
            variables={
                "as_of": build[0]["as_of"].isoformat(),
                "metering_grain": workspace.settings.metering_grain,
            },
        )
        query = dbt.compile("{{ invoice_line_events(['" + line_id + "']) }}")
        return LineEvents(lines[0], tuple(warehouse.rows(query)))


def write_csv(found: LineEvents, path: Path) -> None:
    """One row an event; decimals as text, instants in UTC."""
    with path.open("w", encoding="utf-8", newline="") as file:
        names = list(found.events[0]) if found.events else ["transaction_id", "share"]
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found.events)
