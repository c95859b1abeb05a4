"""The two calendars: usage by day, invoices by month, both UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

# Usage older than this is landed and billed all the same; it only has no box of its
# own in the operators' calendar.
FIRST_DAY = "2023-01-01"

# What a contract gets when its grace_hours is blank (stg_catalog__contracts).
DEFAULT_GRACE = timedelta(hours=24)

usage_days = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
billing_months = dg.MonthlyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)

# Days of a backfill share one scan of the lake. Months run one by one, the oldest
# first: each closes as of its own end + grace, as it would have at the time.
DAYS_TOGETHER = dg.BackfillPolicy.single_run()
MONTH_BY_MONTH = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)

Days = tuple[date, date]


def month_as_of(window_end: datetime, now: datetime) -> datetime:
    """A month is run as of its end + grace; the month under way as of now."""
    return min(window_end.astimezone(UTC) + DEFAULT_GRACE, now)


def partition_days(start: datetime, end: datetime) -> Days:
    """First and last day (exclusive) of a partition window."""
    return start.date(), max(end.date(), start.date() + timedelta(days=1))
