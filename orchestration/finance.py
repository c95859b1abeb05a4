"""What finance reads: a copy that no run ever locks, and files.

The warehouse has one writer at a time, and a reader of that file would block it. So
each run ends by writing a second DuckDB file and putting it in place in one rename: an
open reader keeps the old one, a new one gets the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from orchestration.workspace import Workspace

# schema: tables, as finance types them; every name is documented in docs/finance.md.
TABLES: dict[str, tuple[str, ...]] = {
    "credits": (
        "credit_balance_snapshots",
        "credit_balances",
        "credit_grants",
        "credit_ledger",
    ),
    "invoicing": (
        "invoice_lines",
        "invoice_sub_lines",
        "invoices",
        "late_usage",
        "unbilled_usage",
    ),
    "metering": ("metered_usage", "usage_duplicates", "usage_rejections"),
    "publishing": ("stripe_invoice_line_requests", "stripe_invoice_requests"),
    "payments": ("payments", "stripe_invoices"),
    "reconciliation": ("invoice_reconciliation",),
}

EXPORT_PREFIX = "export_"


def publish(workspace: Workspace) -> dict[str, int]:
    """Replace finance.duckdb and the files below exports/; returns rows per table.

    Raises:
        duckdb.Error: the warehouse lacks a table, so the run was not complete; the
            old copy and files stay.
    """
    counts = _publish_copy(workspace)
    _export_files(workspace)
    return counts


def _publish_copy(workspace: Workspace) -> dict[str, int]:
    fresh = workspace.finance.with_suffix(".new.duckdb")
    _remove(fresh)
    counts: dict[str, int] = {}
    with duckdb.connect(str(fresh)) as con:
        con.execute("set TimeZone = 'UTC'")
        con.execute(f"attach '{workspace.warehouse}' as warehouse (read_only)")
        for schema, tables in TABLES.items():
            con.execute(f"create schema {schema}")
            for table in tables:
                con.execute(
                    f"create table {schema}.{table} as "
                    f"select * from warehouse.{schema}.{table}"
                )
                counted = con.execute(f"select count(*) from {schema}.{table}")
                counts[f"{schema}.{table}"] = counted.fetchall()[0][0]
        con.execute("detach warehouse")
        con.execute("checkpoint")
    os.replace(fresh, workspace.finance)
    _remove(fresh)
    return counts


def _export_files(workspace: Workspace) -> None:
    workspace.exports.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(workspace.warehouse), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        names = [
            row[0]
            for row in con.execute(
                "select table_name from information_schema.tables "
                "where table_schema = 'exports' order by 1"
            ).fetchall()
        ]
        for name in names:
            target = workspace.exports / name.removeprefix(EXPORT_PREFIX)
            query = f"select * from exports.{name} order by all"
            _replace(con, query, target.with_suffix(".parquet"), "format parquet")
            _replace(con, query, target.with_suffix(".csv"), "format csv, header true")


def _replace(
    con: duckdb.DuckDBPyConnection, query: str, target: Path, options: str
) -> None:
    fresh = target.with_name(f".{target.name}.new")
    con.execute(f"copy ({query}) to '{fresh}' ({options})")
    os.replace(fresh, target)


def _remove(path: Path) -> None:
    for leftover in (path, path.with_suffix(".duckdb.wal")):
        leftover.unlink(missing_ok=True)
