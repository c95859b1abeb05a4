"""Where loaded rows go: Parquet files in the lake."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from .rows import RawEvent, RawObject

_TIME = pa.timestamp("us")
OBJECTS = pa.schema(
    [
        ("account", pa.string()),
        ("object_type", pa.string()),
        ("object_id", pa.string()),
        ("fetched_at", _TIME),
        ("payload_hash", pa.string()),
        ("payload", pa.string()),
    ]
)
EVENTS = pa.schema(
    [
        ("account", pa.string()),
        ("event_id", pa.string()),
        ("created", _TIME),
        ("event_type", pa.string()),
        ("api_version", pa.string()),
        ("object_id", pa.string()),
        ("payload", pa.string()),
        ("loaded_at", _TIME),
    ]
)


class Sink(Protocol):
    """Keeps what was loaded. Every call has committed when it returns."""

    def write_objects(self, rows: Sequence[RawObject]) -> int:
        """Append versions that differ from the latest kept; how many."""
        ...

    def write_events(self, rows: Sequence[RawEvent]) -> int:
        """Append events not yet kept; how many."""
        ...

    def known_events(self, account: str, event_ids: Iterable[str]) -> set[str]:
        """Those of the ids that are kept already."""
        ...


class ParquetSink:
    """``<lake>/stripe/{objects,events}/*.parquet``, one file per write.

    A file appears whole (written under a ``_tmp`` name, then renamed). Its name is
    made of account, time and content, so repeating a write repeats the name.
    """

    def __init__(self, lake: Path | str) -> None:
        root = Path(lake) / "stripe"
        self._objects, self._events = root / "objects", root / "events"
        for folder, schema in ((self._objects, OBJECTS), (self._events, EVENTS)):
            folder.mkdir(parents=True, exist_ok=True)
            for stale in folder.glob("_tmp*"):
                stale.unlink(missing_ok=True)
            if not (folder / "_schema.parquet").exists():
                _write(folder, "_schema.parquet", schema.empty_table())
        self._latest: dict[tuple[str, str, str], tuple[datetime, str]] | None = None
        self._known: dict[str, set[str]] = {}

    def write_objects(self, rows: Sequence[RawObject]) -> int:
        """Append versions that differ from the latest kept; how many.

        A version fetched at the very moment of the kept one (the sandbox's clock
        stands still) is moved on by a microsecond, so that the latest stays one.
        """
        latest = dict(self._latest_versions())
        fresh = []
        for row in rows:
            key = (row.account, row.object_type, row.object_id)
            kept = latest.get(key)
            if kept and kept[1] == row.payload_hash:
                continue
            if kept and row.fetched_at <= kept[0]:
                row = replace(row, fetched_at=kept[0] + timedelta(microseconds=1))
            latest[key] = (row.fetched_at, row.payload_hash)
            fresh.append(row)
        self._append(self._objects, OBJECTS, fresh)
        self._latest = latest
        return len(fresh)

    def write_events(self, rows: Sequence[RawEvent]) -> int:
        """Append events not yet kept; how many."""
        fresh: dict[tuple[str, str], RawEvent] = {}
        for row in rows:
            if row.event_id not in self._known_in(row.account):
                fresh.setdefault((row.account, row.event_id), row)
        self._append(self._events, EVENTS, list(fresh.values()))
        for account, event_id in fresh:
            self._known_in(account).add(event_id)
        return len(fresh)

    def known_events(self, account: str, event_ids: Iterable[str]) -> set[str]:
        """Those of the ids that are kept already."""
        return self._known_in(account) & set(event_ids)

    def _latest_versions(self) -> dict[tuple[str, str, str], tuple[datetime, str]]:
        if self._latest is None:
            columns = [name for name in OBJECTS.names if name != "payload"]
            keys = ["account", "object_type", "object_id"]
            table = _read(self._objects, OBJECTS, columns)
            # "last" is only defined for an ordered, single-threaded aggregation.
            newest = (
                table.sort_by("fetched_at")
                .group_by(keys, use_threads=False)
                .aggregate([("fetched_at", "last"), ("payload_hash", "last")])
            )
            self._latest = {
                tuple(row[key] for key in keys): (
                    row["fetched_at_last"].replace(tzinfo=UTC),
                    row["payload_hash_last"],
                )
                for row in newest.to_pylist()
            }
        return self._latest

    def _known_in(self, account: str) -> set[str]:
        if account not in self._known:
            table = _read(self._events, EVENTS, ["account", "event_id"])
            own = table.filter(pc.equal(table["account"], account))
            self._known[account] = set(own["event_id"].to_pylist())
        return self._known[account]

    @staticmethod
    def _append(folder: Path, schema: pa.Schema, rows: Sequence[Any]) -> None:
        if not rows:
            return
        records = [_naive(asdict(row)) for row in rows]
        table = pa.Table.from_pylist(records, schema=schema)
        digest = hashlib.sha256(repr(records).encode()).hexdigest()[:16]
        moment = records[0].get("fetched_at") or records[0]["loaded_at"]
        name = f"{rows[0].account}-{moment:%Y%m%dT%H%M%S}-{digest}.parquet"
        _write(folder, name, table)


def _naive(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.astimezone(UTC).replace(tzinfo=None)
        if isinstance(value, datetime)
        else value
        for key, value in record.items()
    }


def _read(folder: Path, schema: pa.Schema, columns: list[str]) -> pa.Table:
    files = sorted(str(path) for path in folder.glob("*.parquet"))
    return ds.dataset(files, schema=schema, format="parquet").to_table(columns=columns)


def _write(folder: Path, name: str, table: pa.Table) -> None:
    temporary = folder / f"_tmp-{os.getpid()}-{name}.part"
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(folder / name)
