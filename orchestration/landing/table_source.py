"""An existing DuckDB table as a source of usage, read without copying it.

Rows are known by a hash of all their columns. With a cursor column only rows at or
above the last landed cursor are read, and the hashes of the rows at that cursor are
kept, so that rows which share it and come later are not lost; without a cursor the
hashes of all rows are kept and the whole table is read each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.landing import sql
from orchestration.landing.interpret import Shape
from orchestration.landing.lake import source_keys
from orchestration.landing.readers import BATCH_ROWS, numbered_batches
from orchestration.workspace import (
    SETTINGS_FILE,
    Problem,
    TableSettings,
    Workspace,
    WorkspaceError,
    nearest,
)

_ATTACHED = "usage_source"


@dataclass(frozen=True)
class TableBatch:
    """The rows of a table that did not land yet, and how to remember them."""

    name: str
    shape: Shape
    content_hash: str
    rows: int
    cursor_value: str | None
    keys_query: str
    query: str

    def chunks(self, con: duckdb.DuckDBPyConnection) -> Iterator[pa.Table]:
        """The rows, numbered from 1, over a connection of their own.

        A second statement on one connection would end the stream; temporary tables
        belong to one connection, so the keys are in ordinary ones.
        """
        with con.cursor() as reader:
            rows: Any = reader.sql(self.query).to_arrow_reader(BATCH_ROWS)
            yield from numbered_batches(rows)


def table_batch(
    con: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    settings: TableSettings,
    landed: list[dict[str, Any]],
) -> TableBatch | None:
    """What is new in the table, or None.

    Raises:
        WorkspaceError: the file, the table or the cursor column is not there, or
            another process has the file open for writing.
    """
    path = workspace.directory / Path(settings.duckdb).expanduser()
    if not path.is_file():
        raise _error("events.table.duckdb", f"{path} does not exist", "Correct it.")
    try:
        con.execute(
            f"attach {sql.text(str(path))} as {_ATTACHED} (type duckdb, read_only)"
        )
    except duckdb.Error as error:
        raise _error(
            "events.table.duckdb",
            f"{path} can't be opened: {str(error).splitlines()[0]}",
            "Close it where it is open for writing.",
        ) from None
    table = ".".join(
        [_ATTACHED, *(sql.name(part) for part in _qualified(settings.table))]
    )
    try:
        described = con.execute(f"describe select * from {table}").fetchall()
    except duckdb.CatalogException:
        raise _error(
            "events.table.table",
            f"{path.name} has no table {settings.table}",
            "Name it as schema.table.",
        ) from None
    columns = {str(row[0]): str(row[1]) for row in described}
    cursor = settings.cursor
    if cursor is not None and cursor not in columns:
        raise _error(
            "events.table.cursor",
            f"{settings.table} has no column '{cursor}'",
            nearest(cursor, columns),
        )
    name = f"table:{settings.duckdb}:{settings.table}"
    earlier = [row for row in landed if row["source_file"] == name]
    return _unlanded(con, workspace, name, table, columns, cursor, earlier)


def _unlanded(
    con: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    name: str,
    table: str,
    columns: dict[str, str],
    cursor: str | None,
    earlier: list[dict[str, Any]],
) -> TableBatch | None:
    shape = Shape.typed(name, list(columns), list(columns.values()))
    marks = [row["cursor_value"] for row in earlier if row["cursor_value"] is not None]
    last = marks[-1] if marks else None
    where, at = "true", "cast(null as varchar)"
    if cursor is not None:
        at = f"cast({sql.name(cursor)} as varchar)"
        if last is not None:
            kind = columns[cursor]
            where = (
                f"{sql.name(cursor)} >= cast({sql.text(last)} as {kind}) "
                f"or {sql.name(cursor)} is null"
            )
    # Every column in its order, NULL apart from blank, numbers as their exact text.
    packed = ", ".join(sql.as_text(sql.name(c), k) for c, k in columns.items())
    order = f"{sql.name(cursor)} nulls first, " if cursor else ""
    files = [
        source_keys(workspace) / f"{r['landing_sequence']}-*.parquet" for r in earlier
    ]
    paths = [path for pattern in files for path in pattern.parent.glob(pattern.name)]
    con.execute(
        "create or replace table landed_keys "
        "(row_hash varchar, occurrence bigint, cursor_value varchar)"
    )
    if paths:
        listed = ", ".join(sql.text(str(path)) for path in sorted(paths))
        con.execute(
            "insert into landed_keys select row_hash, occurrence, cursor_value "
            f"from read_parquet([{listed}])"
        )
    hashed = f"""
        select *, md5(to_json([{packed}])) as __hash, {at} as __at
        from {table} where {where}
    """
    con.execute(
        f"""
        create or replace table new_keys as
        with counted as (
            select
                __hash as row_hash,
                row_number() over (partition by __hash) as occurrence,
                __at as cursor_value
            from ({hashed})
        )
        select * from counted anti join landed_keys using (row_hash, occurrence)
        """
    )
    found = con.execute(
        "select count(*), cast(bit_xor(md5_number(row_hash || '#' || occurrence)) "
        "as varchar) from new_keys"
    ).fetchone()
    assert found is not None
    count, mixed = found
    if count == 0:
        return None
    newest = last
    if cursor is not None:
        top = con.execute(
            f"select cast(max({sql.name(cursor)}) as varchar) from {table}"
        ).fetchone()
        newest = top[0] if top else None
    digest = hashlib.sha256(f"{name}|{len(earlier)}|{count}|{mixed}".encode())
    originals = ", ".join(sql.name(column) for column in columns)
    query = f"""
        with counted as (
            select *, row_number() over (partition by __hash) as __occurrence
            from ({hashed})
        )
        select {originals} from counted semi join new_keys
        on counted.__hash = new_keys.row_hash
            and counted.__occurrence = new_keys.occurrence
        order by {order}__hash, __occurrence
    """
    kept = "true"
    if cursor is not None and newest is not None:
        kept = f"cursor_value is null or cursor_value = {sql.text(newest)}"
    return TableBatch(
        name,
        shape,
        digest.hexdigest(),
        int(count),
        newest,
        f"select * from new_keys where {kept} order by all",
        query,
    )


def _qualified(table: str) -> list[str]:
    parts = table.split(".")
    return parts if len(parts) == 2 else ["main", *parts]


def _error(field: str, problem: str, remedy: str) -> WorkspaceError:
    return WorkspaceError([Problem(SETTINGS_FILE, 0, field, problem, remedy)])
