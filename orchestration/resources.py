"""The one resource: which workspace, as of when, talking to which Stripe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from orchestration import progress
from orchestration.billing_run import (
    BillingRun,
    RunRefused,
    exclusive,
)
from orchestration.partitions import (
    Days,
    billing_months,
    month_as_of,
    partition_days,
    usage_days,
)
from orchestration.workspace import Workspace

WORKSPACE_VARIABLE = "METERHOUSE_WORKSPACE"


def default_workspace() -> Path:
    """The folder named in the environment, else ./workspace."""
    return Path(os.environ.get(WORKSPACE_VARIABLE) or "workspace").resolve()


@dataclass(frozen=True)
class PreviewWorkspace(Workspace):
    """A workspace whose warehouse is a copy: what a look back in time may write to.

    The real tables, finance's copy and the next run never hear of it.
    """

    instant: str = ""

    @property
    def warehouse(self) -> Path:
        # DuckDB names the catalog after the file, and dbt's parse knows it by name.
        return self.internal / "previews" / self.instant / super().warehouse.name


class MeterhouseResource(dg.ConfigurableResource):
    """Settings of a run. A blank `as_of` means: the end + grace of the partition's
    month, or now. `stripe_mode` is sandbox, test or live."""

    workspace: str = ""
    as_of: str = ""
    backfill: bool = False
    stripe_mode: str = "sandbox"
    dbt_target: str = "duckdb"
    full_refresh: bool = False

    @contextmanager
    def open_run(self, context: dg.AssetExecutionContext) -> Iterator[BillingRun]:
        """The run that a step works on; it alone writes the workspace meanwhile.

        Raises:
            RunRefused: another run holds the workspace, or a preview was asked of an
                engine that cannot copy its warehouse.
            WorkspaceError: there is no usable workspace.
        """
        workspace = Workspace.load(self.workspace or default_workspace())
        with exclusive(workspace):
            run = BillingRun(
                workspace=workspace,
                as_of=self.instant(context),
                backfill=self.backfill,
                stripe_mode=self.stripe_mode,  # type: ignore[arg-type]
                dbt_target=self.dbt_target,
                full_refresh=self.full_refresh,
                on_node=progress.report,
            )
            if run.is_preview:
                run = preview_of(run)
            elif not self.as_of:
                run.usage_days = asked_days(context)
            yield run

    def instant(self, context: dg.AssetExecutionContext) -> datetime:
        """The run's as_of, aware UTC."""
        now = datetime.now(UTC)
        if self.as_of:
            return parse_instant(self.as_of)
        if context.assets_def.partitions_def == billing_months and _has_partition(
            context
        ):
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


def asked_days(context: dg.AssetExecutionContext) -> Days | None:
    """Days that a daily partition, or a range of them, meters again."""
    if context.assets_def.partitions_def != usage_days or not _has_partition(context):
        return None
    window = context.partition_time_window
    return partition_days(window.start, window.end)


def _has_partition(context: dg.AssetExecutionContext) -> bool:
    return context.has_partition_key or context.has_partition_key_range


def is_preview(run: BillingRun) -> bool:
    """Does the run only look back? Then it lands, closes, sends and exports nothing."""
    return isinstance(run.workspace, PreviewWorkspace)


def preview_of(run: BillingRun) -> BillingRun:
    """The same run over a copy of the warehouse as it stands now. The copy is kept for
    the later steps and for people, until the next preview or the next normal run.

    Raises:
        RunRefused: the engine has no file to copy.
    """
    if run.dbt_target != "duckdb":
        raise RunRefused(
            f"the books were closed after {run.as_of:%Y-%m-%d %H:%M}: a preview of an "
            "earlier moment needs --target duckdb"
        )
    real = run.workspace
    preview = PreviewWorkspace(
        real.directory, real.settings, f"{run.as_of:%Y-%m-%dT%H%M%S}"
    )
    copied = preview.warehouse
    written = real.warehouse.stat().st_mtime_ns
    if not copied.exists() or copied.stat().st_mtime_ns < written:
        shutil.rmtree(copied.parent.parent, ignore_errors=True)
        copied.parent.mkdir(parents=True)
        # A killed run leaves its last writes in the log beside the file.
        log = real.warehouse.with_suffix(".duckdb.wal")
        if log.exists():
            shutil.copyfile(log, copied.with_suffix(".duckdb.wal"))
        fresh = copied.with_suffix(".new")
        shutil.copyfile(real.warehouse, fresh)
        os.replace(fresh, copied)
    return replace(run, workspace=preview, _dbt=None)
