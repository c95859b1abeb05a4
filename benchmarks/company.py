"""A company for a benchmark: its price book, and usage as landing leaves it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.landing.lake import ROW_GROUP, ensure_schema_files, event_schema
from orchestration.landing.usage_keys import usage_keys
from orchestration.operations import Operations
from orchestration.workspace import Workspace

# Runs one statement as a measured process does: two threads, 4 GB.
BARE_PROGRAM = """
import sys, duckdb
con = duckdb.connect(config={
    "threads": 2, "memory_limit": "4GB", "temp_directory": sys.argv[2],
})
for statement in sys.argv[1].split(";"):
    con.execute(statement)
"""


def write_tables(
    folder: Path, tables: Mapping[str, Iterable[Mapping[str, Any]]], settings: str = ""
) -> None:
    """Write a workspace; the first row of each table says its columns."""
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text(settings)
    for name, table in tables.items():
        rows = iter(table)
        first = next(rows)
        path = folder / "catalog" / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(first))
            writer.writeheader()
            writer.writerow(first)
            writer.writerows(rows)


def land_day(
    workspace: Workspace, day: date, events: int, select: str, properties: Sequence[str]
) -> None:
    """One landing of a day's events. The text of all properties, which no model reads,
    is blank.

    `select` gives number, customer, event_type, moment (microseconds of the day) and
    each property as text. One in a hundred events repeats an id of the same day.
    """
    keys = usage_keys(workspace)
    ensure_schema_files(workspace, keys)
    sequence = (day - date(2025, 1, 1)).days
    landed_at = midnight_after(day)
    given = {
        "landing_sequence": f"{sequence}::bigint",
        "landing_row": "number",
        "transaction_id": f"'{day:%y%m%d}-' || "
        "case when number % 100 = 99 then number - 37 else number end",
        "customer_ref": "customer",
        "event_type": "event_type",
        "event_at": f"timestamp '{day}' + to_microseconds(moment)",
        "received_at": f"timestamp '{day}' + to_microseconds(moment)",
        "landed_at": f"timestamp '{landed_at:%Y-%m-%d}'",
        "source_file": f"'events/{day}.ndjson'",
        "properties": "''",
        **{f"property_{name}": name for name in properties},
    }
    columns = ", ".join(f"{given[name]} as {name}" for name in event_schema(keys).names)
    target = workspace.lake_events / f"event_date={day}"
    target.mkdir(parents=True)
    con = duckdb.connect(config={"threads": 2, "memory_limit": "4GB"})
    con.execute("select setseed(0.5)")
    con.execute(
        f"""
        copy (
            select {columns} from ({select})
            order by customer_ref, event_type, event_at
        ) to '{target}/{sequence}-0.parquet'
        (format parquet, compression zstd, row_group_size {ROW_GROUP})
        """
    )
    con.close()
    operations = Operations.open(workspace)
    operations.begin_landings(
        [
            {
                "landing_sequence": sequence,
                "source_file": f"events/{day}.ndjson",
                "content_hash": str(day),
                "size_bytes": 0,
                "rows_read": events,
                "rows_landed": events,
                "rows_rejected": 0,
                "landed_at": landed_at,
                "state": "writing",
                "min_event_date": day,
                "max_event_date": day,
                "file_bytes": 0,
                "modified_ns": 0,
                "end_line": 0,
                "end_row": 0,
            }
        ]
    )
    operations.finish_landings([sequence])
    operations.close()


def midnight_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
