"""The command's way into Dagster: the same jobs and assets, in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.billing_run import StripeMode
from orchestration.partitions import DEFAULT_GRACE
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
            }
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
                tags=_partition_tags(settings, name),
                asset_selection=selection,
                raise_on_error=True,
            )


def _partition_tags(settings: RunSettings, job: str) -> dict[str, str]:
    """The boxes of the operators' calendar that the run fills: the days that it meters
    again, or the month of its instant. The instant itself is in the run config."""
    if job == PAYMENTS_JOB:
        return {}
    if job == USAGE_JOB:
        first = last = settings.as_of
        return _range_tags(f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}")
    # As of the 1st, the month that ended is in its grace and the one that is billed.
    month = (settings.as_of - DEFAULT_GRACE).strftime("%Y-%m-01")
    return _range_tags(month, month)


def _range_tags(first: str, last: str) -> dict[str, str]:
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }


def asset_keys(settings: RunSettings, steps: Sequence[str]) -> list[str]:
    """Asset keys ("schema/table") that the named steps make."""
    os.environ["METERHOUSE_WORKSPACE"] = str(settings.workspace.directory)
    return sorted(
        "/".join(key.path)
        for assets in _definitions().assets or ()
        if isinstance(assets, dg.AssetsDefinition) and assets.op.name in steps
        for key in assets.keys
    )


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
    (home / "dagster.yaml").write_text(DAGSTER_YAML, encoding="utf-8")
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
"""
