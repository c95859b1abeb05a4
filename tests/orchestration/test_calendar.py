"""Schedules, partition windows and the instants that runs take from them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from orchestration.defs.operations import every_day, every_draft, every_month
from orchestration.execution import (
    BILLING_JOB,
    PAYMENTS_JOB,
    USAGE_JOB,
    RunSettings,
    partition_tags,
)
from orchestration.partitions import (
    DEFAULT_GRACE,
    billing_months,
    month_as_of,
    partition_days,
    usage_days,
)
from orchestration.workspace import Workspace


def requested(schedule: dg.ScheduleDefinition, at: str) -> str:
    """Partition key that the schedule asks for at an instant."""
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime.fromisoformat(at).replace(tzinfo=UTC)
    )
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key
    return request.partition_key


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2024-03-01T01:00", "2024-02-29"),
        ("2025-03-01T01:00", "2025-02-28"),
        ("2026-01-01T01:00", "2025-12-31"),
        ("2026-10-16T01:00", "2026-10-15"),
    ],
)
def test_every_day_meters_yesterday(at: str, day: str) -> None:
    assert requested(every_day, at) == day


@pytest.mark.parametrize(
    ("at", "month"),
    [
        ("2024-03-02T01:30", "2024-02-01"),
        ("2026-01-02T01:30", "2025-12-01"),
        ("2026-11-02T01:30", "2026-10-01"),
    ],
)
def test_every_month_closes_the_last_one(at: str, month: str) -> None:
    assert requested(every_month, at) == month


@pytest.mark.parametrize(
    ("at", "month"),
    [
        ("2024-02-29T02:00", "2024-02-01"),
        ("2024-03-01T02:00", "2024-03-01"),
        ("2026-12-31T02:00", "2026-12-01"),
        ("2027-01-01T02:00", "2027-01-01"),
    ],
)
def test_every_draft_is_of_the_month_under_way(at: str, month: str) -> None:
    assert requested(every_draft, at) == month


def test_the_night_of_the_close_lands_first_and_drafts_last() -> None:
    """A draft run that came first would close as of its own instant and make the
    month's run a preview; a close that came first would miss what came in the grace."""
    evening = datetime(2026, 11, 1, 12, tzinfo=UTC)
    order = [
        next(
            schedule_execution_time_iterator(
                evening.timestamp(), schedule.cron_schedule, "UTC"
            )
        )
        for schedule in (every_day, every_month, every_draft)
    ]
    assert order == sorted(order)
    assert order[0].date() == date(2026, 11, 2)
    close_as_of = month_as_of(datetime(2026, 11, 1, tzinfo=UTC), order[1])
    assert close_as_of == datetime(2026, 11, 2, tzinfo=UTC)


def test_month_as_of_is_end_and_grace_but_never_in_the_future() -> None:
    february = datetime(2024, 3, 1, tzinfo=UTC)
    later = datetime(2026, 1, 1, tzinfo=UTC)
    assert month_as_of(february, later) == february + DEFAULT_GRACE
    within_grace = february + timedelta(hours=5)
    assert month_as_of(february, within_grace) == within_grace
    midway = datetime(2024, 2, 10, tzinfo=UTC)
    assert month_as_of(february, midway) == midway


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("2024-02-28", "2024-02-28", (date(2024, 2, 28), date(2024, 2, 29))),
        ("2024-02-29", "2024-02-29", (date(2024, 2, 29), date(2024, 3, 1))),
        ("2025-12-31", "2026-01-01", (date(2025, 12, 31), date(2026, 1, 2))),
    ],
)
def test_partition_days_of_a_day_and_of_a_range(
    first: str, last: str, days: tuple[date, date]
) -> None:
    start = usage_days.time_window_for_partition_key(first).start
    end = usage_days.time_window_for_partition_key(last).end
    assert partition_days(start, end) == days


def test_months_begin_on_the_first_in_utc() -> None:
    window = billing_months.time_window_for_partition_key("2024-02-01")
    assert window.start == datetime(2024, 2, 1, tzinfo=UTC)
    assert window.end == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    (tmp_path / "catalog").mkdir()
    return RunSettings(Workspace.load(tmp_path), datetime(2024, 3, 2, tzinfo=UTC))


def boxes(settings: RunSettings, job: str) -> tuple[str | None, str | None]:
    tags = partition_tags(settings, job)
    return (
        tags.get("dagster/asset_partition_range_start"),
        tags.get("dagster/asset_partition_range_end"),
    )


def test_a_command_fills_the_month_it_closes_and_the_one_under_way(
    settings: RunSettings,
) -> None:
    assert boxes(settings, BILLING_JOB) == ("2024-02-01", "2024-03-01")
    assert boxes(settings, PAYMENTS_JOB) == (None, None)
    # Nothing is metered yet: all that may land, the window of 34 days.
    assert boxes(settings, USAGE_JOB) == ("2024-01-28", "2024-03-02")


@pytest.mark.parametrize("year", [2022, 2100])
def test_a_run_outside_the_calendar_takes_its_nearest_box(
    settings: RunSettings, year: int
) -> None:
    elsewhere = RunSettings(settings.workspace, datetime(year, 6, 15, tzinfo=UTC))
    now = datetime.now(UTC)
    month = "2023-01-01" if year == 2022 else f"{now:%Y-%m}-01"
    assert boxes(elsewhere, BILLING_JOB) == (month, month)
    day = "2023-01-01" if year == 2022 else f"{now:%Y-%m-%d}"
    assert boxes(elsewhere, USAGE_JOB) == (day, day)
