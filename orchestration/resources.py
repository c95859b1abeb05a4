"""The one resource: which workspace, as of when, talking to which Stripe."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration import progress
from orchestration.billing_run import BillingRun
from orchestration.partitions import month_as_of
from orchestration.workspace import Workspace

WORKSPACE_VARIABLE = "METERHOUSE_WORKSPACE"


def default_workspace() -> Path:
    """The folder named in the environment, else ./workspace."""
    return Path(os.environ.get(WORKSPACE_VARIABLE) or "workspace").resolve()


class MeterhouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of a run. A blank `as_of` means: the end + grace of the partition's
    month, or now. `stripe_mode` is sandbox, test or live."""

    workspace: str = ""
    as_of: str = ""
    backfill: bool = False
    stripe_mode: str = "sandbox"
    dbt_target: str = "duckdb"
    full_refresh: bool = False

    def billing_run(self, context: dg.AssetExecutionContext) -> BillingRun:
        """The run that an asset of this execution works on."""
        workspace = Workspace.load(self.workspace or default_workspace())
        return BillingRun(
            workspace=workspace,
            as_of=self.instant(context),
            backfill=self.backfill,
            stripe_mode=self.stripe_mode,  # type: ignore[arg-type]
            dbt_target=self.dbt_target,
            full_refresh=self.full_refresh,
            usage_days=None if self.as_of else partition_days(context),
            on_node=progress.report,
        )

    def instant(self, context: dg.AssetExecutionContext) -> datetime:
        """The run's as_of, aware UTC."""
        now = datetime.now(UTC)
        if self.as_of:
            return parse_instant(self.as_of)
        if context.has_partition_key and is_monthly(context):
            return month_as_of(context.partition_time_window.end, now)
        return now


def parse_instant(text: str) -> datetime:
    """ISO 8601 to aware UTC; no offset means UTC.

    Raises:
        ValueError: the text is not an instant.
    """
    instant = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    return instant.astimezone(UTC)


def is_monthly(context: dg.AssetExecutionContext) -> bool:
    """Does the step run for months, not for days?"""
    return isinstance(
        context.assets_def.partitions_def, dg.MonthlyPartitionsDefinition
    )


def partition_days(context: dg.AssetExecutionContext) -> tuple[date, date] | None:
    """Days that a daily partition, or a range of them, meters again."""
    if not context.has_partition_key_range and not context.has_partition_key:
        return None
    if is_monthly(context):
        return None
    window = context.partition_time_window
    # Duplicates never change an earlier day, so a day is metered on its own.
    return window.start.date(), max(
        window.end.date(), window.start.date() + timedelta(days=1)
    )
