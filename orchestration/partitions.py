"""The two calendars: usage by day, invoices by month, both UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

# Usage older than this is landed and billed all the same; it only has no box of its
# own in the operators' calendar.
FIRST_DAY = "2023-01-01"

# What a contract gets when its grace_hours is blank (stg_catalog__contracts).
DEFAULT_GRACE = timedelta(hours=24)

usage_days = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
billing_months = dg.MonthlyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)


def month_as_of(window_end: datetime, now: datetime) -> datetime:
    """A month is run as of its end + grace; the month under way as of now."""
    return min(window_end.astimezone(UTC) + DEFAULT_GRACE, now)
