"""What the command prints: a progress bar on the way, tables at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from orchestration import progress
from orchestration.dbt_runner import NodeResult
from orchestration.spark import warehouse_folder
from orchestration.warehouse import Warehouse
from orchestration.workspace import Workspace

if TYPE_CHECKING:
    from orchestration.draft_diff import DraftDiff
    from orchestration.execution import RunSettings
    from orchestration.line_events import LineEvents

# A price list touches every customer: the screen shows the largest, the file all.
LISTED_CHANGES = 50
MONEY = frozenset({"old", "new", "difference"})


@contextmanager
def progress_bar(console: Console) -> Iterator[None]:
    """A bar that moves with every table and test; silent when nobody watches."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<40}"),
        BarColumn(),
        TextColumn("{task.completed} tables and tests"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("starting", total=None)

    def listen(node: NodeResult) -> None:
        bar.update(task, advance=1, description=node.name[:40])

    with bar, progress.listening(listen):
        yield


def print_run_summary(console: Console, settings: RunSettings) -> None:
    """What the run knows now: invoices by month and state, Stripe, the ledger."""
    warehouse = Warehouse(settings.workspace, settings.dbt_target)
    console.rule(f"{settings.workspace.name} as of {settings.as_of:%Y-%m-%d %H:%M} UTC")
    _print_usage(console, warehouse)
    _print_query(
        console,
        warehouse,
        "Invoices",
        """
        select
            substr(cast(period_start as string), 1, 7) as month, currency, status,
            count(*) as invoices,
            sum(case when invoice_type = 'USAGE' then usage_minor else 0 end) as usage,
            sum(case when invoice_type = 'USAGE' then 0 else usage_minor end)
                as commits,
            sum(applied_minor) as credits, sum(total_minor) as total
        from invoicing.invoices group by 1, 2, 3 order by 1, 2, 3
        """,
    )
    _print_query(
        console,
        warehouse,
        "In Stripe",
        """
        select external_status as status, currency, count(*) as invoices,
            sum(stripe_total_minor) as total, sum(amount_paid_minor) as paid,
            sum(cast(is_overdue as integer)) as overdue,
            sum(cast(is_paid_late as integer)) as paid_late,
            count(break_reason) as breaks
        from reconciliation.invoice_reconciliation group by 1, 2 order by 1, 2
        """,
    )
    _print_query(
        console,
        warehouse,
        "Credits",
        """
        select currency, replace(lower(grant_type), '_commit', '') as kind,
            sum(
                amount_minor + manual_minor + seat_adjustment_minor - canceled_minor
            ) as granted,
            sum(drawn_minor) as drawn,
            sum(expired_minor) as expired,
            sum(rolled_over_minor + trued_up_minor) as passed_on,
            sum(balance_minor) as balance
        from credits.credit_balances
        where pricing_unit_id is null group by 1, 2 order by 1, 2
        """,
    )
    _print_query(
        console,
        warehouse,
        "Credits in pricing units (in whole units)",
        """
        select pricing_unit_id as unit,
            replace(lower(grant_type), '_commit', '') as kind,
            count(*) as balances, sum(balance) as balance
        from credits.credit_balances
        where pricing_unit_id is not null group by 1, 2 order by 1, 2
        """,
    )
    _print_query(
        console,
        warehouse,
        "Late usage of closed months (recorded, not yet corrected)",
        """
        select
            substr(cast(period_start as string), 1, 7) as month, currency,
            count(*) as lines,
            sum(correction_minor) as correction
        from invoicing.late_usage group by 1, 2 order by 1, 2
        """,
    )
    console.print("Money in minor units of its currency (USD cents, JPY yen).")
    if settings.dbt_target == "spark":
        tables = warehouse_folder(settings.workspace)
        console.print(f"Spark tables: {tables} (no finance copy, no backup)")
    else:
        console.print(f"Finance copy: {settings.workspace.finance}")


def print_breaks(console: Console, workspace: Workspace) -> int:
    """Invoices on which the two sides differ; returns how many."""
    rows = Warehouse(workspace).rows(
        "select invoice_number, customer_id, break_reason, currency, requested_minor, "
        "stripe_subtotal_minor, last_error "
        "from reconciliation.invoice_reconciliation where break_reason is not null "
        "order by invoice_number"
    )
    if not rows:
        console.print("Reconciliation: no breaks.")
        return 0
    console.print(_table("Breaks", rows))
    return len(rows)


def print_diff(console: Console, diff: DraftDiff) -> None:
    """The lines that an edit of the price book changes, and the drafts' totals."""
    console.rule(f"Open drafts as of {diff.as_of:%Y-%m-%d %H:%M} UTC")
    if diff.changed_files:
        console.print("Changed since the last run: " + ", ".join(diff.changed_files))
    elif diff.changed_files is not None:
        console.print("No file of the catalog changed since the last run.")
    for note in diff.notes:
        console.print(note, style="yellow")
    if not diff.changes:
        console.print("No open draft changes.")
        return
    lines = [
        {
            "customer": change.customer_id,
            "contract": change.contract_id,
            "period": f"{change.period_start:%Y-%m-%d}",
            "line": change.line_name,
            "groups": change.groups,
            "currency": change.unit,
            "old": change.old,
            "new": change.new,
            "difference": change.difference,
        }
        for change in diff.changes
    ]
    console.print(_table("Lines", lines[:LISTED_CHANGES], MONEY))
    if len(lines) > LISTED_CHANGES:
        console.print(
            f"{len(lines) - LISTED_CHANGES:,} smaller differences are not shown; "
            "--output FILE.csv writes all."
        )
    _print_totals(console, diff)


def _print_totals(console: Console, diff: DraftDiff) -> None:
    totals = [
        {
            "currency": total.currency,
            "old": total.old,
            "new": total.new,
            "difference": total.difference,
            "lines changed": total.changed,
            "new lines": total.appeared,
            "lines gone": total.vanished,
        }
        for total in diff.totals
    ]
    if totals:
        console.print(_table("All open drafts", totals, MONEY))
    console.print(
        f"New invoices: {diff.invoices_appeared:,}; "
        f"invoices gone: {diff.invoices_vanished:,}."
    )


def print_status(console: Console, workspace: Workspace) -> None:
    """The last build, the books and what waits for a person."""
    warehouse = Warehouse(workspace)
    if warehouse.rows_or_none("select 1 from ops.build") is None:
        console.print(f"{workspace.directory}: nothing has run yet.")
        return
    for title, query in (
        ("Last build", "select build_id, as_of, watermark from ops.build"),
        (
            "Books",
            "select as_of, invoice_count, ledger_entry_count, rolling_digest "
            "from books.closes order by as_of",
        ),
        (
            "Waiting for a person",
            "select external_status, break_reason, count(*) as invoices "
            "from reconciliation.invoice_reconciliation "
            "where break_reason is not null "
            "or external_status in ('PAYMENT_FAILED', 'DRAFT') or is_overdue "
            "group by 1, 2 order by 1, 2",
        ),
    ):
        _print_query(console, warehouse, title, query)


def _print_usage(console: Console, warehouse: Warehouse) -> None:
    rows = warehouse.rows_or_none(
        """
        select 'landed' as outcome, cast(sum(rows_landed) as bigint) as events
        from ops.landing_files
        union all
        select 'metered', cast(sum(first_metered_event_count) as bigint)
        from metering.metered_usage
        union all
        select 'duplicate', count(*) from metering.usage_duplicates
        union all
        select 'rejected: ' || reason, count(*) from metering.usage_rejections
        group by 1
        union all
        select 'unbilled: ' || reason, cast(sum(event_count) as bigint)
        from invoicing.unbilled_usage group by 1
        """
    )
    if rows:
        console.print(_table("Usage events", rows))


def _print_query(
    console: Console, warehouse: Warehouse, title: str, query: str
) -> None:
    rows = warehouse.rows_or_none(query)
    if rows:
        console.print(_table(title, rows))


def print_line_events(console: Console, found: LineEvents) -> None:
    """The events of a line, the first ones listed, and what their shares add up to."""
    line = found.line
    console.rule(f"{line['line_name']} of {line['customer_id']}")
    if not found.events:
        console.print("Nothing was used: no event made this line.")
        return
    listed = [
        {
            "transaction": event["transaction_id"] or f"({event['source']})",
            "at": f"{event['event_at']:%Y-%m-%d %H:%M:%S}",
            "type": event["event_type"],
            "rate": event["rate_id"],
            "metered": f"{event['metered_share'].normalize():f}",
            "share": f"{event['share'].normalize():f}",
        }
        for event in found.events[:LISTED_CHANGES]
    ]
    console.print(_table("Events", listed, frozenset({"metered", "share"})))
    if len(found.events) > LISTED_CHANGES:
        console.print(
            f"{len(found.events) - LISTED_CHANGES:,} more rows are not shown; "
            "--output FILE.csv writes all."
        )
    console.print(
        f"{len(found.events):,} rows, {found.shared.normalize():f} of the line's "
        f"{line['quantity'].normalize():f} units."
    )


def _table(
    title: str, rows: list[dict[str, Any]], numbers: frozenset[str] = frozenset()
) -> Table:
    """`numbers` are columns of numbers that may be empty in the first row."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name, value in rows[0].items():
        number = name in numbers or isinstance(value, int) or hasattr(value, "as_tuple")
        # On a narrow screen names wrap; a figure or an id is never cut short.
        table.add_column(
            name.replace("_", " "),
            justify="right" if number else "left",
            no_wrap=number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    return table


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,}" if hasattr(value, "as_tuple") else str(value)
