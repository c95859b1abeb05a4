"""Landing: usage into the lake, each row once, whole, and accounted for.

    discover -> for each file: read, interpret, judge, write aside -> announce in the
    manifest -> rename into place -> mark as landed

A run that dies at any point leaves either nothing visible or a batch the manifest
calls 'writing', which the next run removes and does again under the same number.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.duck import connect
from orchestration.landing import interpret, lake, readers, sql
from orchestration.landing.interpret import REQUIRED, Shape
from orchestration.landing.mapping import (
    Entry,
    MappingFile,
    check_columns,
    load_mapping,
)
from orchestration.landing.normalize import normalize
from orchestration.landing.readers import Position
from orchestration.landing.sources import EventFile, new_files
from orchestration.landing.table_source import TableBatch, table_batch
from orchestration.landing.usage_keys import UsageKeys, usage_keys
from orchestration.landing.validate import Limits, judged, staged_columns
from orchestration.operations import URL_VARIABLE, Operations
from orchestration.workspace import Problem, Workspace, WorkspaceError

WRITING, LANDED = "writing", "landed"
MEMORY_LIMIT = "1GB"
# Rows held at a time; more rows a part mean fewer and larger files in the lake.
PART_ROWS = 2_000_000


@dataclass
class LandingSummary:
    """What a landing did. `files` counts files and batches that were new.

    rows_read = rows_landed + rows_rejected, for every file and in total.
    `new_event_dates` are the days (UTC) that got events, ascending.
    """

    files: int = 0
    rows_read: int = 0
    rows_landed: int = 0
    rows_rejected: int = 0
    rejects_by_reason: dict[str, int] = field(default_factory=dict)
    new_event_dates: list[date] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def land(
    workspace: Workspace, *, as_of: datetime, backfill: bool = False
) -> LandingSummary:
    """Land what is new below DIR/events and in the configured table.

    `as_of` is the landing time written to every row; with `backfill` events of any
    age are accepted. Landing the same content again changes nothing.

    Raises:
        WorkspaceError: no usage at all, a file that can't be read or lacks its
            columns, a bad mapping, a lake without its manifest, or another landing
            under way. Nothing was written.
        ValueError: `as_of` has no time zone.
    """
    if as_of.tzinfo is None:
        raise ValueError("as_of needs a time zone")
    with _lock(workspace), connect(**_config(workspace)) as con:
        manifest = _manifest(workspace)
        batches = _checked_batches(con, workspace, manifest)
        keys = usage_keys(workspace)
        known = lake.known_properties(workspace)
        columns = UsageKeys(tuple(sorted(known.union(keys.properties))), keys.numbers)
        operations = Operations.open(workspace)
        try:
            _clean_up(workspace, operations, manifest)
            if not known.issuperset(keys.properties):
                lake.add_property_columns(con, workspace, columns)
            lake.ensure_schema_files(workspace, columns)
            limits = Limits.of(as_of, workspace.settings.window_days, backfill)
            return _land(con, workspace, operations, batches, columns, limits)
        finally:
            operations.close()


def check_usage(workspace: Workspace) -> None:
    """Stop before a run when what it would land is bad as a whole. Writes nothing.

    Raises:
        WorkspaceError: as `land`.
    """
    with _lock(workspace), connect(**_config(workspace)) as con:
        _checked_batches(con, workspace, _manifest(workspace))


def _checked_batches(
    con: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    manifest: list[dict[str, Any]],
) -> list[_Batch]:
    _refuse_unknown_batches(workspace, {row["landing_sequence"] for row in manifest})
    landed = [row for row in manifest if row["state"] == LANDED]
    return _plan(con, workspace, load_mapping(workspace), landed)


def _config(workspace: Workspace) -> dict[str, Any]:
    return {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(workspace.temporary),
        "preserve_insertion_order": "false",
    }


@contextmanager
def _lock(workspace: Workspace) -> Iterator[None]:
    """One landing at a time. The kernel frees the lock when a process dies.

    The catalog's folder carries it, as it is always there: a workspace that turns
    out to be bad stays untouched.
    """
    handle = os.open(workspace.catalog, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkspaceError(
                [Problem("events", 0, "", "another run is landing them", "Wait.")]
            ) from None
        yield
    finally:
        os.close(handle)


def _manifest(workspace: Workspace) -> list[dict[str, Any]]:
    """The manifest's rows; a store that is not there yet is not made."""
    if not os.environ.get(URL_VARIABLE) and not workspace.operations_file.exists():
        return []
    operations = Operations.open(workspace)
    try:
        return operations.landings()
    finally:
        operations.close()


def _refuse_unknown_batches(workspace: Workspace, known: set[int]) -> None:
    """Files that the manifest does not know would be landed a second time."""
    unknown = {number for number, _ in lake.batch_files(workspace)} - known
    if unknown:
        raise WorkspaceError(
            [
                Problem(
                    "lake",
                    0,
                    "",
                    f"{len(unknown)} landed batches are not in the operations store",
                    "Restore operations.sqlite from the backup that belongs to the "
                    "lake.",
                )
            ]
        )


def _clean_up(
    workspace: Workspace, operations: Operations, manifest: list[dict[str, Any]]
) -> None:
    unfinished = {
        row["landing_sequence"] for row in manifest if row["state"] == WRITING
    }
    lake.remove_leftovers(workspace, unfinished)
    operations.forget_landings(unfinished)


@dataclass(frozen=True)
class _Batch:
    """One source that is new: what the manifest says of it and how to read it."""

    source_file: str
    content_hash: str
    shape: Shape
    entry: Entry | None
    source: EventFile | TableBatch
    delimiter: str = ","

    def chunks(
        self, con: duckdb.DuckDBPyConnection, position: Position
    ) -> Iterator[pa.Table]:
        """Arrow tables of the records; `position` follows them."""
        if isinstance(self.source, TableBatch):
            yield from self.source.chunks(con)
            return
        file = self.source
        if file.form == "parquet":
            yield from readers.read_parquet(file.path)
            return
        with readers.open_bytes(file.path, file.size) as stream:
            if file.form == "json" and not readers.is_lines(stream):
                yield from readers.read_json(stream)
                return
            if file.start_byte:
                stream.seek(file.start_byte)
                position.line, position.row = file.start_line, file.start_row
            else:
                readers.skip_bom(stream)
            if file.form != "csv":
                yield from readers.read_ndjson(stream, position)
                return
            if not file.start_byte:
                stream.readline()
                position.line = 1
            assert self.shape.columns is not None
            width = len(self.shape.columns)
            yield from readers.read_csv(stream, position, width, self.delimiter)


def _plan(
    con: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    mapping: MappingFile | None,
    landed: list[dict[str, Any]],
) -> list[_Batch]:
    """What is new, with everything checked that can be wrong with it as a whole."""
    table = workspace.settings.events.table
    files = new_files(workspace, landed)
    if not landed and table is None and not any(file.size for file in files):
        raise WorkspaceError(
            [
                Problem(
                    "events",
                    0,
                    "",
                    "there is no usage to land",
                    "Put usage files into the folder events, or name a table in "
                    "meterhouse.yml.",
                )
            ]
        )
    batches: list[_Batch] = []
    problems: list[Problem] = []
    for file in files:
        entry = mapping.for_file(file.event_name) if mapping else None
        try:
            batches.append(_file_batch(con, workspace, file, entry))
        except WorkspaceError as error:
            problems.extend(error.messages)
    if problems:
        raise WorkspaceError(problems)
    if table is not None:
        entry = mapping.for_table(table.table) if mapping else None
        found = table_batch(con, workspace, table, landed)
        if found is not None:
            _check_shape(workspace, found.shape, entry)
            batches.append(
                _Batch(found.name, found.content_hash, found.shape, entry, found)
            )
    return batches


def _file_batch(
    con: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    file: EventFile,
    entry: Entry | None,
) -> _Batch:
    delimiter = entry.csv.delimiter if entry else ","
    if file.form in ("ndjson", "json"):
        shape = Shape.json(file.event_name)
    elif file.form == "csv":
        header = readers.csv_header(file.path, delimiter)
        shape = Shape.csv(file.event_name, header, delimiter)
    else:
        empty = readers.parquet_schema(file.path).empty_table()
        con.register("described", empty)
        described = con.execute("describe from described").fetchall()
        con.unregister("described")
        kinds = [str(row[1]) for row in described]
        shape = Shape.typed(file.event_name, empty.column_names, kinds)
    # A file without a single byte lands as zero rows; it has no header to check.
    if file.size:
        _check_shape(workspace, shape, entry, file.name)
    return _Batch(file.name, file.content_hash, shape, entry, file, delimiter)


def _check_shape(
    workspace: Workspace, shape: Shape, entry: Entry | None, file: str = ""
) -> None:
    """The columns must be there, once each."""
    if shape.columns is None:
        return
    name = file or shape.file
    twice = {column for column in shape.columns if shape.columns.count(column) > 1}
    if twice:
        raise WorkspaceError(
            Problem(name, 1, column, "the column stands twice", "Name it once.")
            for column in sorted(twice)
        )
    if entry is not None:
        mapping = workspace.settings.events.mapping or ""
        check_columns(entry, shape.columns, name, mapping)
        return
    missing = [column for column in REQUIRED if column not in shape.columns]
    if missing:
        raise WorkspaceError(
            Problem(
                name,
                1,
                column,
                "the column is missing",
                "Add it, or say in a mapping file which column it is "
                "(docs/workspace.md, mapping).",
            )
            for column in missing
        )


def _land(
    con: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    operations: Operations,
    batches: list[_Batch],
    keys: UsageKeys,
    limits: Limits,
) -> LandingSummary:
    summary = LandingSummary()
    days: set[date] = set()
    columns = ", ".join(
        f"{sql.name(name)} {kind}" for name, kind in staged_columns(keys)
    )
    con.execute(f"create or replace temp table staged ({columns})")
    used = [row["landing_sequence"] for row in operations.landings()]
    sequence = max(used, default=0)
    for batch in batches:
        sequence += 1
        writer = lake.BatchWriter(
            con, workspace, sequence, batch.source_file, limits.landed_at, keys
        )
        position = Position()
        read = _stage(con, batch, writer, position, keys, limits)
        if read != writer.landed + writer.rejected:
            raise RuntimeError(
                f"{batch.source_file}: {read} rows read, but {writer.landed} landed "
                f"and {writer.rejected} rejected"
            )
        if isinstance(batch.source, TableBatch):
            writer.write_source_keys(batch.source.keys_query)
        row = _manifest_row(batch, sequence, writer, position, limits)
        operations.begin_landings([row])
        writer.publish()
        operations.finish_landings([sequence])
        summary.files += 1
        summary.rows_read += read
        summary.rows_landed += writer.landed
        summary.rows_rejected += writer.rejected
        for reason, count in writer.rejects.items():
            total = summary.rejects_by_reason.get(reason, 0) + count
            summary.rejects_by_reason[reason] = total
        days.update(writer.days)
        if isinstance(batch.source, EventFile) and batch.source.changed:
            summary.warnings.append(
                f"{batch.source_file} is not what landed from it before: it landed "
                "again as a whole; events with the same ids count once"
            )
    summary.new_event_dates = sorted(days)
    summary.rejects_by_reason = dict(sorted(summary.rejects_by_reason.items()))
    return summary


def _stage(
    con: duckdb.DuckDBPyConnection,
    batch: _Batch,
    writer: lake.BatchWriter,
    position: Position,
    keys: UsageKeys,
    limits: Limits,
) -> int:
    """Read the batch into the writer; the number of events that its rows make."""
    shape = batch.shape
    raw = "raw"
    if shape.columns is not None:
        members = [(name, f"k{i}") for i, name in enumerate(shape.columns)]
        raw = f"coalesce(raw, {sql.json_object(members)})"
    prepare = interpret.prepare(shape)
    candidates = interpret.fields(shape, batch.entry)
    insert = "insert into staged " + judged(
        candidates, raw, shape.columns is None, keys, limits
    )
    per_row = len(batch.entry.variants()) if batch.entry else 1
    read = waiting = 0
    for chunk in batch.chunks(con, position):
        con.register("chunk", chunk)
        con.execute(f"create or replace temp table prepared as {prepare}")
        con.register("repaired", _repaired(con))
        con.execute(insert)
        con.unregister("repaired")
        con.unregister("chunk")
        read += chunk.num_rows * per_row
        waiting += chunk.num_rows * per_row
        if waiting >= PART_ROWS:
            writer.flush()
            waiting = 0
    writer.flush()
    return read


_REPAIRED = pa.schema(
    [("row", pa.int64()), ("doc", pa.large_utf8()), ("reason", pa.string())]
)


def _repaired(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """The few records whose JSON must be made plain by Python."""
    found = con.execute(interpret.NEEDS_REPAIR).fetchall()
    plain = [normalize(source) for _, source in found]
    return pa.table(
        {
            "row": [row for row, _ in found],
            "doc": [doc for doc, _ in plain],
            "reason": [reason for _, reason in plain],
        },
        schema=_REPAIRED,
    )


def _manifest_row(
    batch: _Batch,
    sequence: int,
    writer: lake.BatchWriter,
    position: Position,
    limits: Limits,
) -> dict[str, Any]:
    source = batch.source
    is_file = isinstance(source, EventFile)
    return {
        "landing_sequence": sequence,
        "source_file": batch.source_file,
        "content_hash": batch.content_hash,
        "size_bytes": source.size if isinstance(source, EventFile) else 0,
        "rows_read": writer.landed + writer.rejected,
        "rows_landed": writer.landed,
        "rows_rejected": writer.rejected,
        "landed_at": limits.landed_at.astimezone(UTC),
        "state": WRITING,
        "min_event_date": min(writer.days, default=None),
        "max_event_date": max(writer.days, default=None),
        "file_bytes": source.file_bytes if isinstance(source, EventFile) else 0,
        "modified_ns": source.modified_ns if isinstance(source, EventFile) else 0,
        "end_line": position.line if is_file else 0,
        "end_row": position.row if is_file else 0,
        "cursor_value": None if isinstance(source, EventFile) else source.cursor_value,
    }
