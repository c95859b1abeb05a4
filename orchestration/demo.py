"""The demo: three months of the sample company, as an operator would have lived them.

Month by month: what had arrived by then is landed, the month is closed a day after
its end, Stripe (the built-in sandbox, whatever keys the environment holds) collects,
and the books are reconciled. Late, duplicate and malformed events are in on purpose.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from orchestration.execution import BILLING_JOB, USAGE_JOB, RunSettings, execute
from orchestration.ledger_entry import enter
from orchestration.run_report import print_breaks, print_run_summary, progress_bar
from orchestration.sample_company import correction, generate, stage
from orchestration.workspace import Problem, Workspace, WorkspaceError

START = date(2026, 8, 1)
# A day after each month's end: the grace of 24 hours is over.
CLOSINGS = (
    datetime(2026, 9, 2, tzinfo=UTC),
    datetime(2026, 10, 2, tzinfo=UTC),
    datetime(2026, 11, 2, tzinfo=UTC),
)

# What a workspace holds that a run made; the demo starts over without it.
MADE_BY_RUNS = (
    ".meterhouse",
    "backups",
    "exports",
    "finance.duckdb",
    "lake",
    "operations.sqlite",
    "stripe_sandbox.sqlite",
    "warehouse.duckdb",
)
MARKER = ".sample-company"


def run_demo(out: Console, err: Console, directory: Path, events: int) -> None:
    """Make the workspace, bill three months, print what came out.

    Raises:
        WorkspaceError: the folder holds something that is not an earlier demo.
    """
    _start_over(directory)
    with tempfile.TemporaryDirectory(prefix="meterhouse-sample-") as folder:
        sample = Path(folder)
        with err.status(f"Making {events:,} usage events of the sample company"):
            generate(sample, events=events)
        for moment in CLOSINGS:
            stage(sample, directory, moment)
            err.print(f"Run as of {moment:%Y-%m-%d}: land, build, close, publish, load")
            settings = RunSettings(Workspace.load(directory), moment)
            with progress_bar(err):
                execute(settings, [USAGE_JOB, BILLING_JOB])
            enter_by_hand(settings.workspace, moment)
    print_run_summary(out, settings)
    _print_stories(out, settings.workspace)
    print_breaks(out, settings.workspace)
    out.print("Look at it: make ui · ask it: docs/finance.md")


def enter_by_hand(workspace: Workspace, closed_at: datetime) -> None:
    """After the first close: what the operator of docs/ledger.md gives by hand."""
    if closed_at == CLOSINGS[0]:
        given = correction(START)
        enter(
            workspace,
            given.grant_id,
            given.amount,
            given.reason,
            given.actor,
            given.effective_at,
        )


def _start_over(directory: Path) -> None:
    marker = directory / MARKER
    if directory.exists() and any(directory.iterdir()) and not marker.exists():
        raise WorkspaceError(
            [
                Problem(
                    str(directory),
                    0,
                    "",
                    "the folder is not empty and not an earlier demo",
                    "Name another one with --directory.",
                )
            ]
        )
    for name in (*MADE_BY_RUNS, "catalog", "events", "meterhouse.yml"):
        path = directory / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    marker.write_text("Made by `meterhouse demo`, which may empty this folder.\n")


# What to look for, and the condition that finds it.
STORIES: Mapping[str, str] = {
    "card declined": "external_status = 'PAYMENT_FAILED'",
    "paid late": "is_paid_late",
    "held as a draft": "external_status = 'DRAFT'",
    "overdue": "is_overdue",
}


def _print_stories(out: Console, workspace: Workspace) -> None:
    from orchestration.warehouse import Warehouse

    warehouse = Warehouse(workspace)
    for story, condition in STORIES.items():
        rows = warehouse.rows(
            "select invoice_number, external_status "
            f"from reconciliation.invoice_reconciliation where {condition} "
            "order by invoice_number limit 1"
        )
        for row in rows:
            out.print(f"{story}: {row['invoice_number']} is {row['external_status']}")
