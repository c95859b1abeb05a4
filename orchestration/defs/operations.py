"""Jobs and schedules: what an operator starts, and what starts by itself.

The nightly order matters, and runs wait for each other: land and meter the day, then on
the 2nd close the month as of the end of its grace, then bring the drafts up to now. A
draft run of the same night that came first would move the books' clock past the close.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.partitions import billing_months, usage_days
from orchestration.resources import MeterhouseResource

AFTER_PUBLISHING = dg.AssetSelection.groups(
    "payments", "reconciliation", "exports"
) | dg.AssetSelection.key_substring("stg_stripe__")

usage_day = dg.define_asset_job(
    "usage_day",
    selection=dg.AssetSelection.groups("staging", "metering") - AFTER_PUBLISHING,
    description="Land what is new and meter a day of usage.",
)

billing_month = dg.define_asset_job(
    "billing_month",
    selection=dg.AssetSelection.groups("rating", "credits", "invoicing", "publishing")
    | AFTER_PUBLISHING,
    description=(
        "Rate, draft, close what is due, publish to Stripe, load back, reconcile, "
        "export. Where the books were closed later, a preview in a file of its own."
    ),
)

payments_load = dg.define_asset_job(
    "payments_load",
    selection=AFTER_PUBLISHING,
    description="Load Stripe back, reconcile and export, without billing anything.",
)


@dg.schedule(job=usage_day, cron_schedule="0 1 * * *", execution_timezone="UTC")
def every_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Lands what is new and meters yesterday, and every other day that something landed
    for, at 01:00 UTC."""
    yesterday = _scheduled(context) - timedelta(days=1)
    key = usage_days.get_partition_key_for_timestamp(yesterday.timestamp())
    return dg.RunRequest(run_key=f"day-{key}", partition_key=key)


@dg.schedule(job=billing_month, cron_schedule="30 1 2 * *", execution_timezone="UTC")
def every_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Closes and publishes last month on the 2nd at 01:30 UTC: its grace of 24 hours is
    over, and what arrived in it was landed and metered at 01:00."""
    last_month = _scheduled(context).replace(day=1) - timedelta(days=1)
    key = billing_months.get_partition_key_for_timestamp(last_month.timestamp())
    return dg.RunRequest(run_key=f"month-{key}", partition_key=key)


@dg.schedule(job=billing_month, cron_schedule="0 2 * * *", execution_timezone="UTC")
def every_draft(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Brings the drafts of the month under way up to date at 02:00 UTC, closes and
    publishes what became due meanwhile."""
    moment = _scheduled(context)
    key = billing_months.get_partition_key_for_timestamp(moment.timestamp())
    return dg.RunRequest(run_key=f"draft-{moment:%Y-%m-%d}", partition_key=key)


def _scheduled(context: dg.ScheduleEvaluationContext) -> datetime:
    return context.scheduled_execution_time.astimezone(UTC)


@dg.definitions
def operations() -> dg.Definitions:
    return dg.Definitions(
        jobs=[usage_day, billing_month, payments_load],
        schedules=[every_day, every_month, every_draft],
        resources={"meterhouse": MeterhouseResource()},
        executor=dg.in_process_executor,
    )
