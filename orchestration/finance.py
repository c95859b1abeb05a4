"""What finance reads: a copy that no run ever locks, and files.

The warehouse has one writer at a time, and a reader of that file would block it. So
each run ends by writing a second DuckDB file and putting it in place in one rename: an
open reader keeps the old one, a new one gets the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.duck import connect
from orchestration.operations import durable
from orchestration.workspace import Workspace

# schema: tables, as finance types them; every name is documented in docs/finance.md.
TABLES: dict[str, tuple[str, ...]] = {
    "credits": (
        "credit_balance_snapshots",
        "credit_balances",
        "credit_grants",
        "credit_ledger",
        "credit_recognition",
        "credit_runway",
        "grant_scopes",
    ),
    "invoicing": (
        "invoice_line_parts",
        "invoice_lines",
        "invoice_sub_lines",
        "invoices",
        "late_usage",
        "unbilled_usage",
    ),
    "metering": ("metered_usage", "usage_duplicates", "usage_rejections"),
    "ops": ("build",),
    "payments": ("payments", "stripe_invoices"),
    "publishing": ("stripe_invoice_line_requests", "stripe_invoice_requests"),
    "reconciliation": ("invoice_reconciliation",),
    "staging": (
        "stg_catalog__contracts",
        "stg_catalog__customers",
        "stg_catalog__products",
        "stg_catalog__rate_cards",
        "stg_catalog__rate_tiers",
        "stg_catalog__rates",
        "stg_currencies",
    ),
}

EXPORT_PREFIX = "export_"
FORMATS = {"csv": "format csv, header true", "parquet": "format parquet"}

# Beyond it DuckDB works in DIR/.meterhouse/tmp.
MEMORY_LIMIT = "2GB"

# The oldest DuckDB that can open the copy. BI tools ship one that is older than ours,
# and a file in the newest format is closed to them.
STORAGE_VERSION = "v1.0.0"

# Tables and views alike: a table of the copy may be a view of the warehouse.
COMMENTS_QUERY = """
select schema_name, table_name, '' as column_name, comment
from duckdb_tables() where database_name = 'warehouse' and comment is not null
union all
select schema_name, view_name, '', comment
from duckdb_views() where database_name = 'warehouse' and comment is not null
union all
select schema_name, table_name, column_name, comment
from duckdb_columns() where database_name = 'warehouse' and comment is not null
order by all
"""
EXPORTS_QUERY = """
select table_name from information_schema.tables
where table_catalog = 'warehouse' and table_schema = 'exports' order by 1
"""


def publish(workspace: Workspace) -> dict[str, int]:
    """Replace finance.duckdb and the files below exports/; returns rows per table.

    All of it is written beside what is there and has reached the disk before the first
    file is replaced; finance.duckdb is replaced last.

    Raises:
        duckdb.Error: the warehouse lacks a table, so the run was not complete; the
            old copy and files stay, and nothing is left beside them.
        OSError: a file could not be written or replaced.
    """
    workspace.exports.mkdir(parents=True, exist_ok=True)
    workspace.temporary.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(workspace)
    try:
        copy = _fresh(workspace.finance)
        with _open(copy, workspace) as con:
            counts = _copy_tables(con)
            _copy_comments(con)
            targets = _export_files(con, workspace)
            con.execute("detach warehouse")
            con.execute("checkpoint")
        # Opened for writing it would lock other readers out.
        copy.chmod(copy.stat().st_mode & ~0o222)
        _replace_all([*targets, workspace.finance])
    finally:
        _remove_leftovers(workspace)
    return counts


def _open(copy: Path, workspace: Workspace) -> duckdb.DuckDBPyConnection:
    """The new copy, with the warehouse attached: one state of it for copy and files."""
    con = connect(
        copy,
        memory_limit=MEMORY_LIMIT,
        storage_compatibility_version=STORAGE_VERSION,
        temp_directory=str(workspace.temporary),
        # Lets big tables pass through; what is ordered explicitly stays ordered.
        preserve_insertion_order=False,
    )
    con.execute(f"attach {_text(str(workspace.warehouse))} as warehouse (read_only)")
    return con


def _copy_tables(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    counts: dict[str, int] = {}
    for schema, tables in TABLES.items():
        con.execute(f"create schema {schema}")
        for table in tables:
            copied = con.execute(
                f"create table {schema}.{table} as from warehouse.{schema}.{table}"
            )
            counts[f"{schema}.{table}"] = copied.fetchall()[0][0]
    return counts


def _copy_comments(con: duckdb.DuckDBPyConnection) -> None:
    """What dbt says of tables and columns: BI tools show it beside the names."""
    for schema, table, column, comment in con.execute(COMMENTS_QUERY).fetchall():
        if table not in TABLES.get(schema, ()):
            continue
        name = f"{schema}.{table}"
        thing = f'column {name}."{column}"' if column else f"table {name}"
        con.execute(f"comment on {thing} is {_text(comment)}")


def _export_files(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> list[Path]:
    """Write each export as a fresh file; returns the places they belong in."""
    targets = []
    for (table,) in con.execute(EXPORTS_QUERY).fetchall():
        for ending, options in FORMATS.items():
            name = f"{table.removeprefix(EXPORT_PREFIX)}.{ending}"
            target = workspace.exports / name
            con.execute(
                f"copy (from warehouse.exports.{table} order by all) "
                f"to {_text(str(_fresh(target)))} ({options})"
            )
            targets.append(target)
    return targets


def _replace_all(targets: Iterable[Path]) -> None:
    """Put the fresh files in place, once all of them are safe on disk."""
    places = list(targets)
    for target in places:
        durable(_fresh(target))
    for target in places:
        os.replace(_fresh(target), target)
    for folder in {target.parent for target in places}:
        durable(folder)


def _fresh(target: Path) -> Path:
    # In the same folder, because a rename across file systems is no rename.
    return target.with_name(f".{target.name}.new")


def _remove_leftovers(workspace: Workspace) -> None:
    """What a publish that failed or was killed has left behind."""
    # With the log that DuckDB keeps beside a file: finance.duckdb.new.wal.
    for path in workspace.directory.glob(f"{_fresh(workspace.finance).name}*"):
        path.unlink()
    for path in workspace.exports.glob(".*.new"):
        path.unlink()


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
