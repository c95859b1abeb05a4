"""The command `meterhouse`: every door that does not need SQL or the UI."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from orchestration.workspace import Workspace, WorkspaceError, init_workspace

if TYPE_CHECKING:
    from orchestration.execution import RunSettings

app = typer.Typer(
    name="meterhouse",
    help=(
        "Usage-based billing that lives in the warehouse. Start with "
        "[bold]meterhouse demo[/bold], or [bold]meterhouse init DIR[/bold] for a "
        "workspace of your own and [bold]meterhouse run --workspace DIR[/bold]."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)

out = Console()
err = Console(stderr=True)

BAD_INPUT = 2
FAILED = 1

WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace",
        "-w",
        envvar="METERHOUSE_WORKSPACE",
        help="Folder with catalog/, events/ and meterhouse.yml.",
    ),
]
AsOfOption = Annotated[
    str,
    typer.Option(
        "--as-of",
        help="Instant of the run, ISO 8601, UTC unless it has an offset. Default: now. "
        "Earlier than the last close is a read-only preview.",
    ),
]
BackfillOption = Annotated[
    bool,
    typer.Option("--backfill", help="Accept events older than the landing window."),
]
TargetOption = Annotated[str, typer.Option("--target", help="Engine: duckdb or spark.")]
LiveOption = Annotated[
    str,
    typer.Option(
        "--stripe",
        help="sandbox (own, default), test or live; keys come from the environment.",
    ),
]


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="Folder to make.")]) -> None:
    """Make a commented starter workspace that can be billed as it stands."""
    with _errors():
        workspace = init_workspace(directory)
        out.print(f"Made {workspace.directory}. Next: meterhouse run -w {directory}")


@app.command()
def run(
    workspace: WorkspaceOption = Path("workspace"),
    as_of: AsOfOption = "",
    backfill: BackfillOption = False,
    target: TargetOption = "duckdb",
    stripe: LiveOption = "sandbox",
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Build every table from nothing.")
    ] = False,
) -> None:
    """Land, build, close what is due, publish, load back, reconcile, export."""
    from orchestration.run_report import print_run_summary, progress_bar

    with _errors():
        from orchestration.landing import check_usage

        settings = _settings(
            workspace, as_of, backfill, target, stripe, full_refresh=full_refresh
        )
        check_usage(settings.workspace)
        from orchestration.execution import BILLING_JOB, USAGE_JOB, execute

        with progress_bar(err):
            execute(settings, [USAGE_JOB, BILLING_JOB])
        print_run_summary(out, settings)


@app.command()
def events(
    line_id: Annotated[str, typer.Argument(help="The line_id of a usage line.")],
    workspace: WorkspaceOption = Path("workspace"),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", dir_okay=False, help="Write a CSV file."),
    ] = None,
) -> None:
    """List the events behind an invoice line, with the share of each."""
    from orchestration.run_report import print_line_events

    if output and not output.absolute().parent.is_dir():
        raise typer.BadParameter(f"--output {output}: there is no such folder")
    with _errors():
        from orchestration.line_events import line_events, write_csv

        found = line_events(Workspace.load(workspace), line_id)
        print_line_events(out, found)
        if output:
            write_csv(found, output)
            out.print(f"All events are in {output}.")


@app.command()
def diff(
    directory: Annotated[
        Path | None, typer.Argument(help="The workspace, in place of --workspace.")
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            dir_okay=False,
            help="Write every difference to a CSV file.",
        ),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 when there are differences.")
    ] = False,
) -> None:
    """Show what the edited catalog changes in the open drafts. Nothing is written."""
    from orchestration.run_report import print_diff, progress_bar

    if output and not output.absolute().parent.is_dir():
        raise typer.BadParameter(f"--output {output}: there is no such folder")
    with _errors():
        from orchestration import progress
        from orchestration.draft_diff import diff_drafts, write_csv

        found = Workspace.load(directory or workspace)
        with progress_bar(err):
            differences = diff_drafts(found, progress.report)
        print_diff(out, differences)
        if output:
            write_csv(differences, output)
    if exit_code and differences.changes:
        raise typer.Exit(FAILED)


@app.command()
def close(
    workspace: WorkspaceOption = Path("workspace"),
    as_of: AsOfOption = "",
    target: TargetOption = "duckdb",
) -> None:
    """Rate and draft, check the laws, and append what is due to the books."""
    _part(
        workspace, as_of, "billing_month", ["drafts", "close", "readers"], target=target
    )


@app.command()
def publish(
    workspace: WorkspaceOption = Path("workspace"),
    as_of: AsOfOption = "",
    stripe: LiveOption = "sandbox",
) -> None:
    """Send closed invoices that Stripe does not have yet."""
    _part(workspace, as_of, "billing_month", ["readers", "publish"], stripe=stripe)


@app.command()
def load(
    workspace: WorkspaceOption = Path("workspace"),
    as_of: AsOfOption = "",
    stripe: LiveOption = "sandbox",
) -> None:
    """Load payments and statuses back from Stripe."""
    _part(workspace, as_of, "payments_load", ["load", "payments"], stripe=stripe)


@app.command()
def reconcile(
    workspace: WorkspaceOption = Path("workspace"),
    as_of: AsOfOption = "",
    stripe: LiveOption = "sandbox",
) -> None:
    """Compare our invoices with Stripe's; exit code 1 when one does not match."""
    from orchestration.run_report import print_breaks

    _part(workspace, as_of, "payments_load", ["payments"], stripe=stripe)
    with _errors():
        breaks = print_breaks(out, Workspace.load(workspace))
    if breaks:
        raise typer.Exit(FAILED)


@app.command()
def export(
    workspace: WorkspaceOption = Path("workspace"),
    as_of: AsOfOption = "",
    stripe: LiveOption = "sandbox",
) -> None:
    """Replace finance.duckdb and the files below exports/."""
    _part(workspace, as_of, "payments_load", ["payments", "finance"], stripe=stripe)


@app.command()
def status(workspace: WorkspaceOption = Path("workspace")) -> None:
    """Show the last run, the books, what waits for a person."""
    from orchestration.run_report import print_status

    with _errors():
        print_status(out, Workspace.load(workspace))


ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, for the audit log.", prompt=True)
]
ActorOption = Annotated[
    str, typer.Option("--actor", help="Who decides.", envvar="USER", prompt=True)
]
InvoiceArgument = Annotated[
    str, typer.Argument(help="invoice_id or invoice_number of invoicing.invoices.")
]


@app.command()
def hold(
    invoice: InvoiceArgument,
    reason: ReasonOption,
    actor: ActorOption,
    workspace: WorkspaceOption = Path("workspace"),
) -> None:
    """Keep an invoice a Stripe draft until it is released."""
    _decide("hold", invoice, reason, actor, workspace)


@app.command()
def release(
    invoice: InvoiceArgument,
    reason: ReasonOption,
    actor: ActorOption,
    workspace: WorkspaceOption = Path("workspace"),
) -> None:
    """Let a held invoice go: the next run finalizes the same Stripe draft."""
    _decide("release", invoice, reason, actor, workspace)


@app.command()
def void(
    invoice: InvoiceArgument,
    reason: ReasonOption,
    actor: ActorOption,
    workspace: WorkspaceOption = Path("workspace"),
) -> None:
    """Void a closed invoice: the next run gives back what it drew, and voids it in
    Stripe if it is not paid there."""
    from orchestration.void_invoice import void as record

    with _errors():
        done = record(Workspace.load(workspace), invoice, reason, actor)
        out.print(
            f"void {done.instruction_id}: invoice {done.invoice_number} "
            f"({done.invoice_id}, {done.total}), from the next run on",
            soft_wrap=True,
            highlight=False,
        )


@app.command("ledger-entry")
def ledger_entry(
    segment: Annotated[
        str,
        typer.Argument(
            help="segment_id of credits.credit_balances, or a grant with one segment."
        ),
    ],
    amount: Annotated[
        str,
        typer.Option(
            "--amount", help="In units of the currency: 25 gives, -12.50 takes."
        ),
    ],
    reason: ReasonOption,
    actor: ActorOption,
    effective_at: Annotated[
        str,
        typer.Option(
            "--effective-at",
            help="From when it counts, ISO 8601. Default: the segment's start.",
        ),
    ] = "",
    workspace: WorkspaceOption = Path("workspace"),
) -> None:
    """Give to a commit or credit by hand, or take from it: an entry of its ledger."""
    from orchestration.ledger_entry import enter

    moment = _instant(effective_at) if effective_at else None
    with _errors():
        entry = enter(Workspace.load(workspace), segment, amount, reason, actor, moment)
        said = "ledger entry" if entry.is_new else "the entry stands already, as"
        out.print(
            f"{said} {entry.instruction_id}: "
            f"{entry.segment.money(entry.amount_minor)} from "
            f"{entry.effective_at:%Y-%m-%dT%H:%MZ}, from the next run on; "
            f"{entry.segment.segment_id} then has "
            f"{entry.segment.money(entry.balance_minor)}",
            soft_wrap=True,
            highlight=False,
        )
        if not entry.is_new:
            out.print("A second one needs another --reason.")


@app.command()
def backup(workspace: WorkspaceOption = Path("workspace")) -> None:
    """Copy what can't be computed again (lake, books, operations store)."""
    from orchestration.backup import back_up

    with _errors():
        made = back_up(Workspace.load(workspace))
        out.print(f"Backed up to {made}")


@app.command()
def restore(
    workspace: WorkspaceOption = Path("workspace"),
    name: Annotated[
        str, typer.Option("--backup", help="Name of the backup. Default: the newest.")
    ] = "",
) -> None:
    """Rebuild a lost warehouse from a backup, with equal digests."""
    from orchestration.backup import restore as restore_backup

    with _errors():
        done = restore_backup(Workspace.load(workspace), name or None)
        out.print(f"Restored from {done}")


@app.command()
def demo(
    directory: Annotated[
        Path, typer.Option("--directory", help="Workspace of the sample company.")
    ] = Path("workspace"),
    events: Annotated[
        int,
        typer.Option("--events", min=10_000, help="Usage events over three months."),
    ] = 1_000_000,
) -> None:
    """Bill three months of a sample company, on the built-in Stripe sandbox only."""
    from orchestration.demo import run_demo

    with _errors():
        run_demo(out, err, directory, events)


@app.command()
def ui(
    workspace: WorkspaceOption = Path("workspace"),
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port")] = 3000,
) -> None:
    """Open Dagster on the workspace: run, backfill and close months in the browser."""
    from orchestration.execution import dagster_home

    with _errors():
        found = Workspace.load(workspace)
        os.environ["METERHOUSE_WORKSPACE"] = str(found.directory)
        os.environ["DAGSTER_HOME"] = str(dagster_home(found))
        command = [
            str(Path(sys.executable).with_name("dagster")),
            "dev",
            "--module-name",
            "orchestration.definitions",
            "--host",
            host,
            "--port",
            str(port),
        ]
        out.print(f"Dagster of {found.name}: http://{host}:{port}/asset-groups")
        os.execv(command[0], command)


def _decide(kind: str, invoice: str, reason: str, actor: str, workspace: Path) -> None:
    from orchestration.billing_run import decide_on_invoice

    with _errors():
        found = Workspace.load(workspace)
        invoice_id = decide_on_invoice(found, kind, invoice, reason, actor)
        out.print(f"{kind}: {invoice_id}, from the next run on")


STEPS = {
    "drafts": "draft_models",
    "close": "invoicing__close_books",
    "readers": "reader_models",
    "publish": "publishing__published_invoices",
    "load": "load_stripe",
    "payments": "payment_models",
    "finance": "exports__finance_copy",
}


def _part(
    workspace: Path,
    as_of: str,
    job: str,
    steps: list[str],
    *,
    target: str = "duckdb",
    stripe: str = "sandbox",
) -> None:
    from orchestration.run_report import print_run_summary, progress_bar

    with _errors():
        settings = _settings(workspace, as_of, False, target, stripe)
        from orchestration.execution import asset_keys, execute

        keys = asset_keys(settings, [STEPS[step] for step in steps])
        with progress_bar(err):
            execute(settings, [job], keys)
        print_run_summary(out, settings)


def _settings(
    workspace: Path,
    as_of: str,
    backfill: bool,
    target: str,
    stripe: str,
    *,
    full_refresh: bool = False,
) -> RunSettings:
    from orchestration import spark
    from orchestration.billing_run import check_workspace
    from orchestration.execution import RunSettings

    instant = _instant(as_of) if as_of else datetime.now(UTC)
    if stripe not in ("sandbox", "test", "live"):
        raise typer.BadParameter(f"--stripe {stripe}: sandbox, test or live")
    if target not in ("duckdb", "spark"):
        raise typer.BadParameter(f"--target {target}: duckdb or spark")
    if target == "spark" and (reason := spark.missing()):
        raise typer.BadParameter(f"--target spark: {reason}")
    found = Workspace.load(workspace)
    check_workspace(found)
    return RunSettings(
        workspace=found,
        as_of=instant,
        backfill=backfill,
        stripe_mode=stripe,  # type: ignore[arg-type]
        dbt_target=target,
        full_refresh=full_refresh,
    )


def _instant(text: str) -> datetime:
    from orchestration.resources import parse_instant

    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not an instant; write it like 2026-11-02T00:00Z"
        ) from error


@contextmanager
def _errors() -> Iterator[None]:
    """Bad input ends with code 2 and one message a mistake; a refused or failed run
    with code 1 and its reason. No traceback for either."""
    try:
        yield
    except WorkspaceError as error:
        for problem in error.messages:
            err.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    except typer.Exit:
        raise
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        err.print(reason, markup=False, highlight=False, soft_wrap=True, style="red")
        raise typer.Exit(FAILED) from None


def _reason(error: BaseException | None) -> str | None:
    """The text of an expected failure, also when Dagster wrapped it."""
    from orchestration.billing_run import RunRefused
    from orchestration.dbt_runner import DbtError
    from stripe_sync.clients import ClientError

    while error is not None:
        if isinstance(error, WorkspaceError):
            return "\n".join(str(problem) for problem in error.messages)
        if isinstance(error, (RunRefused, DbtError, ClientError)):
            return str(error)
        error = error.__cause__
    return None


def main() -> None:
    """Entry point of the command."""
    logging.getLogger("dagster").setLevel(logging.WARNING)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    app()


if __name__ == "__main__":
    main()
