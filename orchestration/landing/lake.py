"""The lake's event files: where they lie, how they are written, what is cleaned up.

A batch is written below lake/_tmp_<sequence>/ in the shape of the lake and then
renamed into place file by file; the manifest says whether that was finished.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing import sql
from orchestration.landing.usage_keys import UsageKeys
from orchestration.landing.validate import property_column
from orchestration.operations import durable, write_parquet
from orchestration.workspace import Workspace

ROW_GROUP = 122_880
SCHEMA_FILE = "_schema.parquet"
SCHEMA_DAY = "event_date=1970-01-01"
TEMPORARY = "_tmp"

_TEXT, _WHOLE, _INSTANT = pa.string(), pa.int64(), pa.timestamp("us")

EVENT_FIELDS = [
    ("landing_sequence", _WHOLE),
    ("landing_row", _WHOLE),
    ("transaction_id", _TEXT),
    ("customer_ref", _TEXT),
    ("event_type", _TEXT),
    ("event_at", _INSTANT),
    ("received_at", _INSTANT),
    ("landed_at", _INSTANT),
    ("source_file", _TEXT),
    ("properties", _TEXT),
]
REJECT_FIELDS = [
    ("landing_sequence", _WHOLE),
    ("landing_row", _WHOLE),
    ("source_file", _TEXT),
    ("field", _TEXT),
    ("reason", _TEXT),
    ("remedy", _TEXT),
    ("raw", _TEXT),
    ("landed_at", _INSTANT),
]
STRIPE_OBJECT_FIELDS = [
    ("account", _TEXT),
    ("object_type", _TEXT),
    ("object_id", _TEXT),
    ("fetched_at", _INSTANT),
    ("payload_hash", _TEXT),
    ("payload", _TEXT),
]
STRIPE_EVENT_FIELDS = [
    ("account", _TEXT),
    ("event_id", _TEXT),
    ("created", _INSTANT),
    ("event_type", _TEXT),
    ("api_version", _TEXT),
    ("object_id", _TEXT),
    ("payload", _TEXT),
    ("loaded_at", _INSTANT),
]


def source_keys(workspace: Workspace) -> Path:
    """Which rows of a table source landed already (hash and cursor only)."""
    return workspace.lake / "source_keys"


def event_schema(keys: UsageKeys) -> pa.Schema:
    flat = [(property_column(key), _TEXT) for key in keys.properties]
    return pa.schema(EVENT_FIELDS + flat)


def known_properties(workspace: Workspace) -> set[str]:
    """The property keys that every event file of the lake has a column for."""
    path = workspace.lake_events / SCHEMA_DAY / SCHEMA_FILE
    if not path.exists():
        return set()
    prefix = property_column("")
    names: list[str] = pq.read_schema(path).names
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def ensure_schema_files(workspace: Workspace, keys: UsageKeys) -> None:
    """The zero-row files that let readers scan an empty lake."""
    for folder, schema in (
        (workspace.lake_events / SCHEMA_DAY, event_schema(keys)),
        (workspace.lake_rejects, pa.schema(REJECT_FIELDS)),
        (workspace.lake_stripe_objects, pa.schema(STRIPE_OBJECT_FIELDS)),
        (workspace.lake_stripe_events, pa.schema(STRIPE_EVENT_FIELDS)),
    ):
        path = folder / SCHEMA_FILE
        if not path.exists() or not pq.read_schema(path).equals(schema):
            folder.mkdir(parents=True, exist_ok=True)
            write_parquet(schema.empty_table(), path)


def add_property_columns(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, keys: UsageKeys
) -> int:
    """Give earlier event files the columns of properties new in the catalog.

    Without it a metric added later would not see the usage that is already there.
    Each file is replaced by an atomic rename and looked at by its own schema, so
    that an interrupted pass is simply repeated. Returns the number of files.
    """
    changed = 0
    aside = workspace.lake / f"{TEMPORARY}_columns"
    wanted = event_schema(keys).names
    for path in event_files(workspace):
        present = set(pq.read_schema(path).names)
        if present.issuperset(wanted):
            continue
        columns = ", ".join(
            sql.name(column)
            if column in present
            else "json_extract_string(properties, "
            + sql.text(sql.json_path(column.removeprefix(property_column(""))))
            + f") as {sql.name(column)}"
            for column in wanted
        )
        aside.mkdir(exist_ok=True)
        temporary = aside / path.name
        _copy(
            con,
            f"select {columns} "
            f"from read_parquet({sql.text(str(path))}, hive_partitioning = false)",
            temporary,
        )
        os.replace(temporary, path)
        durable(path.parent)
        changed += 1
    if changed:
        aside.rmdir()
    return changed


def event_files(workspace: Workspace) -> Iterator[Path]:
    """Every landed event file, the schema's own excepted."""
    for path in sorted(workspace.lake_events.glob("event_date=*/*.parquet")):
        if not path.name.startswith("_"):
            yield path


_NUMBERED = re.compile(r"(\d+)-\d+\.parquet")


def batch_files(workspace: Workspace) -> Iterator[tuple[int, Path]]:
    """(landing_sequence, file) of events, rejects and source keys."""
    for folder, pattern in (
        (workspace.lake_events, "event_date=*/*.parquet"),
        (workspace.lake_rejects, "*.parquet"),
        (source_keys(workspace), "*.parquet"),
    ):
        for path in sorted(folder.glob(pattern)):
            if match := _NUMBERED.fullmatch(path.name):
                yield int(match[1]), path


def remove_leftovers(workspace: Workspace, unfinished: set[int]) -> None:
    """Remove temporary files and the files of batches that were never finished."""
    if not workspace.lake.exists():
        return
    for path in workspace.lake.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path)
    for path in workspace.lake.glob(f"**/{TEMPORARY}*.parquet"):
        path.unlink()
    if unfinished:
        for sequence, path in batch_files(workspace):
            if sequence in unfinished:
                path.unlink()
                durable(path.parent)


class BatchWriter:
    """Writes the staged rows of one batch; nothing is visible before `publish`."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        workspace: Workspace,
        sequence: int,
        source_file: str,
        landed_at: datetime,
        keys: UsageKeys,
    ) -> None:
        self._con = con
        self._workspace = workspace
        self._sequence = sequence
        self._source = sql.text(source_file)
        self._landed_at = f"timestamp '{landed_at:%Y-%m-%d %H:%M:%S.%f}'"
        self._keys = keys
        self._part = 0
        self._folder = workspace.lake / f"{TEMPORARY}_{sequence}"
        self.days: dict[date, int] = {}
        self.rejects: dict[str, int] = {}

    @property
    def landed(self) -> int:
        return sum(self.days.values())

    @property
    def rejected(self) -> int:
        return sum(self.rejects.values())

    def flush(self) -> None:
        """Write what is staged and empty the table `staged`."""
        con = self._con
        days = con.execute(
            "select cast(event_at as date), count(*) from staged "
            "where problem is null group by all order by all"
        ).fetchall()
        for day, count in days:
            self.days[day] = self.days.get(day, 0) + count
            # Rows of equal keys keep the order of the file.
            self._write(
                workspace_folder=self._workspace.lake_events / f"event_date={day}",
                query=f"""
                    select {self._event_columns()} from staged
                    where problem is null and event_at >= timestamp '{day}'
                        and event_at < timestamp '{day}' + interval 1 day
                    order by customer_ref, event_type, event_at, landing_row
                """,
            )
        reasons = con.execute(
            "select problem.reason, count(*) from staged "
            "where problem is not null group by all order by all"
        ).fetchall()
        for reason, count in reasons:
            self.rejects[reason] = self.rejects.get(reason, 0) + count
        if reasons:
            self._write(
                workspace_folder=self._workspace.lake_rejects,
                query=f"""
                    select
                        {self._sequence}::bigint as landing_sequence,
                        landing_row,
                        {self._source} as source_file,
                        problem.field as field,
                        problem.reason as reason,
                        problem.remedy as remedy,
                        raw,
                        {self._landed_at} as landed_at
                    from staged where problem is not null order by landing_row
                """,
            )
        con.execute("truncate staged")
        self._part += 1

    def write_source_keys(self, query: str) -> None:
        self._write(workspace_folder=source_keys(self._workspace), query=query)

    def publish(self) -> None:
        """Rename the files into place; they have reached the disk before."""
        for path in sorted(self._folder.rglob("*.parquet")):
            target = self._workspace.lake / path.relative_to(self._folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
        for folder in {p.relative_to(self._folder) for p in self._folder.rglob("*/")}:
            durable(self._workspace.lake / folder)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _event_columns(self) -> str:
        given = {
            "landing_sequence": f"{self._sequence}::bigint",
            "received_at": f"coalesce(received_at, {self._landed_at})",
            "landed_at": self._landed_at,
            "source_file": self._source,
        }
        return ", ".join(
            f"{given[column]} as {column}" if column in given else sql.name(column)
            for column in event_schema(self._keys).names
        )

    def _write(self, *, workspace_folder: Path, query: str) -> None:
        folder = self._folder / workspace_folder.relative_to(self._workspace.lake)
        folder.mkdir(parents=True, exist_ok=True)
        _copy(self._con, query, folder / f"{self._sequence}-{self._part}.parquet")


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    con.execute(
        f"copy ({query}) to {sql.text(str(path))} "
        f"(format parquet, compression zstd, row_group_size {ROW_GROUP})"
    )
    durable(path)
