"""A run looks only where new landings can have changed anything: it finds what a look
at everything finds."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.billing_run import (
    BillingRun,
    check_workspace,
    copy_operations,
    land_usage,
    landings_with_known_duplicates,
    usage_days_to_meter,
)
from orchestration.workspace import Workspace
from tests.rating.metered import write_company
from tests.standing_views import borrow
from tests.support import instant, rows

TABLES = (
    "metering.usage_duplicates",
    "metering.unmetered_events",
    "metering.usage_rejections",
    "metering.metered_usage",
)


def land(folder: Path, name: str, *events: tuple[str, str, str]) -> None:
    """(id, instant, value), one file; "-" is no value, "?" a sender nobody knows."""
    (folder / "events" / f"{name}.ndjson").write_text(
        "".join(
            json.dumps(
                {
                    "transaction_id": event_id,
                    "customer_id": "nobody" if value.endswith("?") else "acme",
                    "event_type": "reading",
                    "timestamp": f"2026-{at}:00Z",
                    "properties": {} if value == "-" else {"value": value.strip("?")},
                }
            )
            + "\n"
            for event_id, at, value in events
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company that is billed the sum of its readings."""
    metric = {"metric_id": "sum", "aggregation": "SUM", "aggregation_key": "value"}
    write_company(tmp_path / "company", [("acme", metric)])
    return tmp_path / "company"


def meter(folder: Path, as_of: str) -> None:
    """Land what waits and meter it; nothing here is billed."""
    run = run_of(folder, as_of, backfill=True)
    borrow(run.workspace.warehouse)
    check_workspace(run.workspace)
    land_usage(run)
    copy_operations(run)
    run.dbt.build(("+metering",), ("test_type:data",)).raise_for_failures()


def found(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        table: rows(folder, f"select * from {table} order by all") for table in TABLES
    }


def run_of(folder: Path, as_of: str, **settings: Any) -> BillingRun:
    return BillingRun(Workspace.load(folder), instant(as_of), **settings)


def test_new_landings_are_held_against_what_they_can_repeat(folder: Path) -> None:
    # Twice in a file, no value, nobody known.
    land(
        folder,
        "first",
        ("a", "10-01T10:00", "1"),
        ("b", "10-02T10:00", "2"),
        ("b", "10-02T11:00", "2"),
        ("c", "10-03T10:00", "-"),
        ("d", "10-03T10:00", "1?"),
    )
    meter(folder, "2026-10-04")
    # Again within the window, under another time; one without a value.
    land(
        folder,
        "second",
        ("a", "10-05T10:00", "1"),
        ("e", "10-05T11:00", "5"),
        ("f", "10-05T12:00", "-"),
    )
    meter(folder, "2026-10-06")
    assert landings_with_known_duplicates(run_of(folder, "2026-10-06")) is not None
    # More than 34 days after the first landing, less after the second: b is an event of
    # its own again, a and e are not.
    land(
        folder,
        "third",
        ("a", "11-08T10:00", "1"),
        ("b", "11-08T11:00", "2"),
        ("e", "11-08T12:00", "5"),
        ("g", "11-09T00:30", "7"),
    )
    meter(folder, "2026-11-08T23:40")
    by_landing = found(folder)

    duplicates = {
        (row["transaction_id"], row["landing_sequence"])
        for row in by_landing["metering.usage_duplicates"]
    }
    assert duplicates == {("b", 1), ("a", 2), ("a", 3), ("e", 3)}
    assert {
        (row["transaction_id"], row["reason"])
        for row in by_landing["metering.unmetered_events"]
    } == {
        ("c", "value_not_a_number"),
        ("d", "unknown_customer"),
        ("f", "value_not_a_number"),
        ("g", "after_as_of"),
    }
    assert len(by_landing["metering.usage_rejections"]) == 2

    everything = BillingRun(
        Workspace.load(folder), instant("2026-11-08T23:40"), full_refresh=True
    )
    everything.dbt.build(
        ("+metering",), ("test_type:data",), full_refresh=True
    ).raise_for_failures()
    assert found(folder) == by_landing

    # The same landings once more find nothing new.
    meter(folder, "2026-11-08T23:40")
    assert found(folder) == by_landing


def test_another_window_looks_at_everything(folder: Path) -> None:
    """Landed 5 days apart: a duplicate within 34 days, an event of its own within 2."""
    land(folder, "first", ("a", "10-01T10:00", "1"))
    meter(folder, "2026-10-02")
    # A file of the same content would not be landed at all.
    land(folder, "second", ("a", "10-01T10:00", "1.0"))
    meter(folder, "2026-10-07")
    assert len(found(folder)["metering.usage_duplicates"]) == 1

    (folder / "meterhouse.yml").write_text("window_days: 2\n")
    assert landings_with_known_duplicates(run_of(folder, "2026-10-07")) is None
    assert usage_days_to_meter(run_of(folder, "2026-10-07")) is None
    meter(folder, "2026-10-07")
    assert found(folder)["metering.usage_duplicates"] == []
    (metered,) = found(folder)["metering.metered_usage"]
    assert metered["event_count"] == 2

    # A copy without the manifest, as `meterhouse diff` makes one, knows nothing.
    (folder / "operations.sqlite").rename(folder / "elsewhere.sqlite")
    assert landings_with_known_duplicates(run_of(folder, "2026-10-07")) is None


def test_an_event_of_the_next_hours_is_accounted_for(folder: Path) -> None:
    """At 23:30 usage may be ahead by an hour, and the hour lies in the next day."""
    land(folder, "first", ("a", "10-01T10:00", "1"))
    meter(folder, "2026-10-02T23:30")
    days = usage_days_to_meter(run_of(folder, "2026-10-02T23:30"))
    assert days == (date(2026, 10, 2), date(2026, 10, 3))
    land(folder, "second", ("b", "10-03T00:15", "1"))
    meter(folder, "2026-10-02T23:30")
    for _ in range(2):
        assert [
            (row["transaction_id"], row["reason"])
            for row in found(folder)["metering.unmetered_events"]
        ] == [("b", "after_as_of")]
        meter(folder, "2026-10-02T23:30")


def test_each_table_of_the_days_has_a_build_of_its_own(folder: Path) -> None:
    """What died between two tables is made again, whatever the other one remembers."""
    land(folder, "first", ("a", "10-01T10:00", "1"))
    meter(folder, "2026-10-02")
    land(folder, "second", ("b", "09-20T10:00", "-"))
    run = run_of(folder, "2026-10-03")
    land_usage(run)
    copy_operations(run)
    run.dbt.build(
        ("metered_usage", "usage_duplicates"), ("test_type:data",)
    ).raise_for_failures()
    days = usage_days_to_meter(run_of(folder, "2026-10-03"))
    assert days == (date(2026, 9, 20), date(2026, 10, 4))
    meter(folder, "2026-10-03")
    assert len(found(folder)["metering.usage_rejections"]) == 1

    with duckdb.connect(str(folder / "warehouse.duckdb")) as warehouse:
        warehouse.execute("update ops.metered_values_build set catalog_hash = 'edited'")
    assert usage_days_to_meter(run_of(folder, "2026-10-03")) is None
