"""Reading the warehouse from Python, after dbt has ended: rows out, never written."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.duck import connect
from orchestration.workspace import Workspace


@dataclass(frozen=True)
class Warehouse:
    """Read-only access to what dbt built, on either engine."""

    workspace: Workspace
    target: str = "duckdb"

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows as dicts; instants are naive UTC, decimals stay exact."""
        if self.target == "spark":
            from orchestration.spark import rows

            return rows(self.workspace, query)
        with connect(self.workspace.warehouse, read_only=True) as con:
            cursor = con.execute(query)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def rows_or_none(self, query: str) -> list[dict[str, Any]] | None:
        """Like `rows`; None while the warehouse or the table is not there yet."""
        if self.target == "spark":
            from orchestration.spark import rows_or_none

            return rows_or_none(self.workspace, query)
        if not self.workspace.warehouse.exists():
            return None
        try:
            return self.rows(query)
        except duckdb.CatalogException:
            return None

    def read_catalog(self, name: str) -> list[dict[str, str]]:
        """Rows of a catalog file as text."""
        path = self.workspace.catalog / f"{name}.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


def last_run(warehouse: Warehouse) -> datetime:
    """Instant of the last build or close, whichever is later; aware UTC."""
    latest = warehouse.rows(
        "select max(as_of) as as_of from ("
        "select as_of from ops.build union all select as_of from books.closes)"
    )
    moment: datetime = latest[0]["as_of"]
    return moment.replace(tzinfo=UTC)
