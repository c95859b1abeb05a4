"""The command's way into Dagster: the same jobs and assets, in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from orchestration.billing_run import StripeMode, exclusive
from orchestration.partitions import FIRST_DAY, billing_months, usage_days
from orchestration.warehouse import Warehouse
from orchestration.workspace import Workspace

USAGE_JOB = "usage_day"
BILLING_JOB = "billing_month"
PAYMENTS_JOB = "payments_load"


@dataclass(frozen=True)
class RunSettings:
    """What the operator asked for; see `BillingRun`."""

    workspace: Workspace
    as_of: datetime
    backfill: bool = False
    stripe_mode: StripeMode = "sandbox"
    dbt_target: str = "duckdb"
    full_refresh: bool = False

    def run_config(self) -> dict[str, Any]:
        """Run config of the jobs, as one would type it in the launchpad."""
        return {
            # The command speaks for itself; the run's own log is in the UI.
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            "resources": {
                "meterhouse": {
                    "config": {
                        "workspace": str(self.workspace.directory),
                        "as_of": self.as_of.astimezone(UTC).isoformat(),
                        "backfill": self.backfill,
                        "stripe_mode": self.stripe_mode,
                        "dbt_target": self.dbt_target,
                        "full_refresh": self.full_refresh,
                    }
                }
            },
        }


def execute(
    settings: RunSettings, jobs: Sequence[str], keys: Sequence[str] = ()
) -> None:
    """Run jobs one after the other, or only the named assets ("schema/table") of them.

    Raises:
        Exception: the first error of a step, as the step raised it.
    """
    os.environ["METERHOUSE_WORKSPACE"] = str(settings.workspace.directory)
    definitions = _definitions()
    selection = [dg.AssetKey(key.split("/")) for key in keys] or None
    with _instance(settings.workspace) as instance:
        for name in jobs:
            definitions.resolve_job_def(name).execute_in_process(
                instance=instance,
                run_config=settings.run_config(),
                tags=partition_tags(settings, name),
                asset_selection=selection,
                raise_on_error=True,
            )


def partition_tags(settings: RunSettings, job: str) -> dict[str, str]:
    """The boxes of the operators' calendar that the run brings up to date: the days
    since metering last ran; the month before its instant, which it closes when that is
    due, and the month under way. The instant itself is in the run config."""
    if job == PAYMENTS_JOB:
        return {}
    calendar: dg.TimeWindowPartitionsDefinition = usage_days
    last = settings.as_of.astimezone(UTC)
    if job == BILLING_JOB:
        calendar = billing_months
        first = last.replace(day=1) - timedelta(days=1)
    else:
        first = min(_metered_until(settings), last)
    # A run of another age takes the nearest box of the calendar: the steps need one.
    oldest, newest = (
        datetime.fromisoformat(f"{FIRST_DAY}T00:00+00:00"),
        datetime.now(UTC),
    )
    keys = [
        calendar.get_partition_key_for_timestamp(
            min(max(moment, oldest), newest).timestamp()
        )
        for moment in (first, last)
    ]
    return {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[1],
    }


def _metered_until(settings: RunSettings) -> datetime:
    """When metering last ran; before the first run, how old usage may be to land."""
    if settings.dbt_target == "duckdb":
        with exclusive(settings.workspace):
            built = Warehouse(settings.workspace).rows_or_none(
                "select as_of from ops.metered_usage_build"
            )
        if built:
            metered: datetime = built[0]["as_of"].replace(tzinfo=UTC)
            return metered
    return settings.as_of - timedelta(days=settings.workspace.settings.window_days)


def asset_keys(settings: RunSettings, steps: Sequence[str]) -> list[str]:
    """Asset keys ("schema/table") that the named steps make.

    Raises:
        KeyError: there is no such step.
    """
    os.environ["METERHOUSE_WORKSPACE"] = str(settings.workspace.directory)
    made = {
        assets.op.name: ["/".join(key.path) for key in assets.keys]
        for assets in _definitions().assets or ()
        if isinstance(assets, dg.AssetsDefinition) and assets.is_executable
    }
    return sorted(key for step in steps for key in made[step])


def _definitions() -> dg.Definitions:
    from orchestration.definitions import defs

    return defs()


def _instance(workspace: Workspace) -> dg.DagsterInstance:
    """Runs of the command are seen in the UI of the same workspace."""
    home = dagster_home(workspace)
    return dg.DagsterInstance.from_config(str(home))


def dagster_home(workspace: Workspace) -> Any:
    """DAGSTER_HOME of a workspace, with its settings written when absent."""
    home = workspace.internal / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(
        DAGSTER_YAML.format(history=json.dumps(str(home / "history" / "runs"))),
        encoding="utf-8",
    )
    return home


DAGSTER_YAML = """\
# Written by meterhouse; one run at a time writes the DuckDB file.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    default_limit: 1
  runs:
    max_concurrent_runs: 1
event_log_storage:
  module: orchestration.event_log
  class: PooledSqliteEventLogStorage
  config:
    base_dir: {history}
"""
