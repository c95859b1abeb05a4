"""One run over a workspace, step by step.

The Dagster assets and the command call these functions in the same order; none of them
holds a billing rule. A step reads and writes the workspace only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from filelock import FileLock, Timeout

from orchestration import finance, spark
from orchestration.catalog import catalog_hash, check_catalog
from orchestration.dbt_runner import Dbt, DbtError, DbtResult, NodeResult
from orchestration.landing import LandingSummary, land
from orchestration.operations import Operations, export_to_parquet
from orchestration.warehouse import Warehouse
from orchestration.workspace import Workspace, WorkspaceError
from stripe_sync.clients import build_clients
from stripe_sync.journal import PublishJournal
from stripe_sync.loader import ParquetSink, SqlCursorStore, load_back
from stripe_sync.publisher import publish
from stripe_sync.rows import InvoiceRequest, LineRequest, LoadCounts, PublishResult
from stripe_sync.sandbox import Sandbox
from stripe_sync.voids import void

StripeMode = Literal["sandbox", "test", "live"]

# What is built before the close, and what only reads what the close wrote.
BEFORE_CLOSE = (
    "+stg_catalog__rates",
    "+stg_currencies",
    "staging",
    "+metering",
    "rating",
    "credits",
    "invoicing",
)
READERS = ("tag:reader",)
# Tables of the metering stage that a run makes again for some days only.
METERED_BY_DAY = (
    "metered_usage",
    "metered_values",
    "metered_events",
    "unmetered_events",
    "usage_rejections",
)
AFTER_LOAD = ("payments", "reconciliation", "exports")

# Stripe collects up to an hour after an invoice is finalized; the sandbox's clock goes
# on this far after publishing, so that a run ends with its cards charged.
SANDBOX_COLLECTION_TIME = timedelta(hours=2)


# What the macro close_books says when nothing was due.
CLOSED_NOTHING = "close: nothing to close"


class RunRefused(Exception):
    """The run must not go on; the text says what to do."""


@dataclass
class BillingRun:
    """What one run works on.

    `as_of` is aware UTC; `stripe_mode` sandbox unless said otherwise; `backfill` lets
    events of any age land. `dbt_target` is `duckdb` or `spark`. `usage_days` are days
    (last exclusive) to meter again whatever changed.
    """

    workspace: Workspace
    as_of: datetime
    backfill: bool = False
    stripe_mode: StripeMode = "sandbox"
    dbt_target: str = "duckdb"
    full_refresh: bool = False
    on_node: Callable[[NodeResult], None] | None = None
    usage_days: tuple[date, date] | None = None
    _dbt: Dbt | None = field(default=None, repr=False)

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.workspace, self.dbt_target)

    @property
    def dbt(self) -> Dbt:
        """dbt with the vars of this run; made once, so that all tables of the run
        carry one build."""
        if self._dbt is None:
            self._dbt = Dbt(
                self.workspace, self.dbt_target, self._variables(), self.on_node
            )
        return self._dbt

    @property
    def environment(self) -> str:
        """What Stripe metadata and the journal call this environment. Never `sandbox`
        outside the sandbox: each must tell its own invoices from the others'."""
        named = self.workspace.environment
        if self.stripe_mode != "sandbox" and named == "sandbox":
            return self.stripe_mode
        return named

    @property
    def is_preview(self) -> bool:
        """Were the books closed at a later moment than this run's? Then the run shows
        what was known and writes nothing that stays."""
        closes = self.warehouse.rows_or_none(
            "select max(as_of) as last from books.closes"
        )
        last = closes[0]["last"] if closes else None
        return last is not None and last.replace(tzinfo=UTC) > self.as_of

    def _variables(self) -> dict[str, Any]:
        days = usage_days_to_meter(self)
        if days and self.usage_days:
            # A partition is metered again beside what new events touched: the run
            # remembers that it metered all that had landed.
            days = min(days[0], self.usage_days[0]), max(days[1], self.usage_days[1])
        variables: dict[str, Any] = {
            "as_of": self.as_of.astimezone(UTC).isoformat(),
            "dedup_window_days": self.workspace.settings.window_days,
            "metering_grain": self.workspace.settings.metering_grain,
            "rate_models": list(self.workspace.settings.rate_models),
            "metric_models": list(self.workspace.settings.metric_models),
            "stripe_mode": self.stripe_mode,
        }
        if not self.full_refresh:
            if days:
                variables["usage_from"], variables["usage_to"] = map(str, days)
            if (known := landings_with_known_duplicates(self)) is not None:
                variables["landed_after"] = known[0]
                variables["duplicates_from"] = str(known[1])
        if self.dbt_target == "spark":
            variables["catalog_hash"] = catalog_hash(self.workspace)
            variables |= spark.variables(self.workspace)
        return variables


@contextmanager
def exclusive(workspace: Workspace) -> Iterator[None]:
    """One run at a time writes a workspace.

    Raises:
        RunRefused: another run holds the workspace.
    """
    workspace.locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(workspace.locks / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunRefused(
            f"another run is writing {workspace.directory}; wait for it to end"
        ) from error
    try:
        yield
    finally:
        lock.release()


def check_workspace(workspace: Workspace) -> None:
    """Stop before anything is written when the price book has a mistake.

    Raises:
        WorkspaceError: every mistake with file, row, field and remedy.
    """
    problems = check_catalog(workspace)
    if problems:
        raise WorkspaceError(problems)


def land_usage(run: BillingRun) -> LandingSummary:
    """Land what is new; the run's instant is the landing time."""
    return land(run.workspace, as_of=run.as_of, backfill=run.backfill)


def copy_operations(run: BillingRun) -> None:
    """Give dbt a copy of the operations store, which it never opens itself."""
    if run.stripe_mode == "sandbox":
        provision_sandbox_customers(run)
    export_to_parquet(run.workspace)


def usage_days_to_meter(run: BillingRun) -> tuple[date, date] | None:
    """First and last day (exclusive) whose usage may have changed since metering last
    ran; None = all days.

    All days when the price book changed (aliases, metrics and keys decide what is
    metered), the grain or the window of duplicates did, or the run looks back in time.
    """
    settings = run.workspace.settings
    if run.dbt_target != "duckdb" or settings.metric_models:
        # What an SQL metric reads may change without an event landing.
        return None
    builds = [
        run.warehouse.rows_or_none(f"select * from ops.{table}_build")
        for table in METERED_BY_DAY
    ]
    last = [build[0] for build in builds if build]
    if len(last) < len(METERED_BY_DAY):
        return None
    now = (catalog_hash(run.workspace), settings.metering_grain, settings.window_days)
    if any(
        (build["catalog_hash"], build.get("metering_grain"), build.get("window_days"))
        != now
        for build in last
    ):
        return None
    metered_until = [build["as_of"].replace(tzinfo=UTC) for build in last]
    if max(metered_until) > run.as_of:
        return None
    watermark = min(build["watermark"] for build in last)
    operations = Operations.open(run.workspace)
    try:
        new = [
            row
            for row in operations.landings()
            if row["landing_sequence"] > watermark and row["min_event_date"]
        ]
    finally:
        operations.close()
    # What is dated ahead is not metered yet, but accounted for.
    days = [min(metered_until).date(), run.as_of.date()]
    days += [
        row[bound] for row in new for bound in ("min_event_date", "max_event_date")
    ]
    return min(days), max(days) + timedelta(days=1)


def landings_with_known_duplicates(run: BillingRun) -> tuple[int, date] | None:
    """The last landing whose duplicates are known, and the first day of what newer ones
    hold or may repeat; None = nothing is known, or by another window."""
    if run.dbt_target != "duckdb":
        return None
    built = run.warehouse.rows_or_none("select * from ops.duplicates_build")
    window = run.workspace.settings.window_days
    if not built or built[0]["window_days"] != window:
        return None
    watermark = int(built[0]["watermark"])
    operations = Operations.open(run.workspace)
    try:
        manifest = operations.landings()
    finally:
        operations.close()
    if watermark and watermark not in {row["landing_sequence"] for row in manifest}:
        # Not the manifest that the warehouse was made with: a copy has none.
        return None
    landings = [row for row in manifest if row["min_event_date"]]
    new = [row for row in landings if row["landing_sequence"] > watermark]
    if not new:
        return watermark, run.as_of.date()
    reaches_back_to = min(row["landed_at"] for row in new) - timedelta(days=window)
    return watermark, min(
        row["min_event_date"] for row in landings if row["landed_at"] >= reaches_back_to
    )


def build_until_close(run: BillingRun, select: tuple[str, ...] = ()) -> DbtResult:
    """Staging to drafts, with the laws that hold on drafts.

    Raises:
        DbtError: a model failed or a law is red; nothing may be closed.
    """
    result = run.dbt.build(
        select or BEFORE_CLOSE,
        () if select else (*READERS, "tag:law_after_publish"),
        full_refresh=run.full_refresh,
    )
    result.raise_for_failures()
    return result


def close_books(run: BillingRun) -> list[str]:
    """Append what is due to the books, and back them up. Nothing due, nothing written.

    Raises:
        DbtError: the close was refused; the text says why.
    """
    from orchestration.backup import back_up

    said = run.dbt.run_operation("close_books")
    if run.dbt_target == "duckdb" and CLOSED_NOTHING not in said:
        said.append(f"backup: {back_up(run.workspace)}")
    return said


def build_readers(run: BillingRun) -> DbtResult:
    """Invoices, lines, ledger, balances and what Stripe will be told."""
    result = run.dbt.build(READERS)
    result.raise_for_failures()
    return result


def publish_invoices(run: BillingRun) -> list[PublishResult]:
    """Withdraw what is void, and send what is closed and not yet in Stripe.

    Raises:
        RunRefused: a law is red. Publishing looks for itself: a blocking check of the
            run that built the tables does not bind a run that only publishes.
    """
    loaded_before = run.warehouse.rows_or_none(
        "select 1 from reconciliation.invoice_reconciliation limit 1"
    )
    not_yet = [] if loaded_before is not None else ["tag:law_after_publish"]
    red = run.dbt.test(["tag:law"], not_yet).failed
    if red:
        names = ", ".join(node.name for node in red)
        raise RunRefused(f"publishing refused while a law is red: {names}")
    with stripe_clients(run) as (clients, sandbox):
        operations = Operations.open(run.workspace)
        try:
            journal = PublishJournal(operations.engine, lock_dir=run.workspace.locks)
            settings: dict[str, Any] = {
                "clients": clients,
                "journal": journal,
                "environment": run.environment,
                "clock": _clock(sandbox),
            }
            results = void(void_requests(run), **settings)
            results += publish(invoice_requests(run), **settings)
        finally:
            operations.close()
        if sandbox and results:
            sandbox.advance(SANDBOX_COLLECTION_TIME)
    export_to_parquet(run.workspace)
    return results


def invoice_requests(run: BillingRun) -> list[InvoiceRequest]:
    """The rows of the publishing tables that Stripe has not taken yet."""
    return _requests(run, "send", done="published")


def void_requests(run: BillingRun) -> list[InvoiceRequest]:
    """Void invoices that Stripe may still have."""
    return _requests(run, "void", done="voided")


def _requests(run: BillingRun, action: str, *, done: str) -> list[InvoiceRequest]:
    lines: dict[str, list[LineRequest]] = {}
    for row in run.warehouse.rows(
        "select * from publishing.stripe_invoice_line_requests "
        "order by invoice_id, position"
    ):
        metadata = {
            "billing_line_id": row["line_id"],
            "billing_invoice_id": row["invoice_id"],
            "billing_line_type": row["line_type"],
        }
        if row["product_id"]:
            metadata["billing_product_id"] = row["product_id"]
        lines.setdefault(row["invoice_id"], []).append(
            LineRequest(
                line_id=row["line_id"],
                position=row["position"],
                amount_minor=row["stripe_amount"],
                description=row["description"],
                period_start=row["period_start"].replace(tzinfo=UTC),
                period_end=row["period_end_inclusive"].replace(tzinfo=UTC),
                metadata=metadata,
            )
        )
    return [
        InvoiceRequest(
            invoice_id=row["invoice_id"],
            account=row["stripe_account"],
            customer_id=row["customer_id"],
            stripe_customer_id=row["stripe_customer_id"],
            currency=row["currency"],
            collection_method=row["collection_method"],
            days_until_due=row["days_until_due"],
            auto_finalize=row["is_auto_finalized"],
            held=row["is_held"],
            description=row["description"],
            metadata={
                "billing_env": run.environment,
                "billing_invoice_id": row["invoice_id"],
                "billing_invoice_number": row["invoice_number"],
                "billing_customer_id": row["customer_id"],
                "billing_contract_id": row["contract_id"],
            },
            subtotal_minor=row["stripe_subtotal"],
            line_count=row["stripe_line_count"],
            lines=tuple(lines.get(row["invoice_id"], ())),
        )
        for row in run.warehouse.rows(
            "select requests.* from publishing.stripe_invoice_requests as requests "
            "left join ops.publish_journal as journal "
            "on requests.invoice_id = journal.invoice_id "
            "and requests.stripe_account = journal.account "
            f"where requests.publish_action = '{action}' "
            "and requests.stripe_customer_id is not null "
            f"and coalesce(journal.state, '') <> '{done}' "
            "order by requests.issued_at, requests.invoice_id"
        )
    ]


def load_stripe(run: BillingRun) -> dict[str, LoadCounts]:
    """Load back what changed in each Stripe account, into the lake."""
    counts: dict[str, LoadCounts] = {}
    with stripe_clients(run) as (clients, sandbox):
        operations = Operations.open(run.workspace)
        try:
            for account, client in clients.items():
                counts[account] = load_back(
                    client=client,
                    account=account,
                    cursors=SqlCursorStore(operations.engine),
                    sink=ParquetSink(run.workspace.lake),
                    clock=_clock(sandbox),
                )
        finally:
            operations.close()
    export_to_parquet(run.workspace)
    return counts


def build_after_load(run: BillingRun) -> DbtResult:
    """Payments, reconciliation and the tables that leave as files."""
    result = run.dbt.build((*AFTER_LOAD, "tag:law_after_publish"))
    result.raise_for_failures()
    return result


def decide_on_invoice(
    workspace: Workspace, kind: str, invoice: str, reason: str, actor: str
) -> str:
    """Record `hold` or `release` of an invoice, named by its id or its number, and
    return the invoice's id.

    Dated at the last build, so that a workspace whose runs name their instant hears of
    it in its next run.

    Raises:
        RunRefused: there is no such invoice, or it can't be held any more.
    """
    warehouse = Warehouse(workspace)
    quoted = invoice.replace("'", "''")
    found = warehouse.rows_or_none(
        "select invoices.invoice_id, invoices.status, "
        "coalesce(requests.is_held, false) as is_held, "
        "coalesce(journal.state = 'published', false) as is_sent "
        "from invoicing.invoices as invoices "
        "left join publishing.stripe_invoice_requests as requests "
        "on invoices.invoice_id = requests.invoice_id "
        "left join ops.publish_journal as journal "
        "on requests.invoice_id = journal.invoice_id "
        "and requests.stripe_account = journal.account "
        f"where '{quoted}' in (invoices.invoice_id, invoices.invoice_number)"
    )
    if not found:
        raise RunRefused(f"no invoice {invoice} in invoicing.invoices")
    invoice_id = str(found[0]["invoice_id"])
    if kind == "hold" and found[0]["is_sent"]:
        raise RunRefused(f"invoice {invoice_id} is sent already: meterhouse void")
    built = warehouse.rows("select as_of from ops.build")[0]["as_of"]
    operations = Operations.open(workspace)
    try:
        operations.add_instruction(
            kind=kind,
            target_type="invoice",
            target_id=invoice_id,
            actor=actor,
            reason=reason,
            created_at=built.replace(tzinfo=UTC),
            before={name: found[0][name] for name in ("status", "is_held")},
            after={"status": found[0]["status"], "is_held": kind == "hold"},
        )
    finally:
        operations.close()
    return invoice_id


def publish_finance_copy(run: BillingRun) -> dict[str, int]:
    """finance.duckdb, Parquet and CSV, each replaced whole. Returns rows per table;
    none on Spark, whose tables finance reads where they are."""
    if run.dbt_target != "duckdb":
        return {}
    return finance.publish(run.workspace)


@contextmanager
def stripe_clients(run: BillingRun) -> Iterator[tuple[dict[str, Any], Sandbox | None]]:
    """Clients per account alias, and the sandbox they talk to in sandbox mode."""
    accounts = run.workspace.settings.stripe.accounts
    if run.stripe_mode != "sandbox":
        settings = {
            alias: {"key_env": account.key_env} for alias, account in accounts.items()
        }
        yield build_clients(settings, mode=run.stripe_mode), None
        return
    sandbox = open_sandbox(run)
    try:
        sandbox.advance_to(run.as_of)
        yield (
            build_clients(
                {sandbox_alias(alias): {} for alias in accounts}, sandbox=sandbox
            ),
            sandbox,
        )
    finally:
        sandbox.close()


def open_sandbox(run: BillingRun) -> Sandbox:
    """The workspace's own Stripe; its state lies beside the warehouse."""
    return Sandbox(run.workspace.stripe_sandbox_file, start=run.as_of)


def sandbox_alias(alias: str) -> str:
    """Sandbox accounts bear a name of their own, as in macros/publishing.sql: nothing
    published there is ever taken for published in Stripe."""
    return f"sandbox-{alias}"


def provision_sandbox_customers(run: BillingRun) -> None:
    """Make every customer of the price book known to the sandbox."""
    behaviour = run.workspace.settings.sandbox.customers
    customers = run.warehouse.read_catalog("customers")
    operations = Operations.open(run.workspace)
    sandbox = open_sandbox(run)
    try:
        for alias in run.workspace.settings.stripe.accounts:
            account = sandbox_alias(alias)
            known = operations.stripe_customers(account)
            for customer in customers:
                customer_id = customer["customer_id"]
                if customer_id in known:
                    continue
                settings = behaviour.get(customer_id)
                operations.set_stripe_customer(
                    account=account,
                    customer_id=customer_id,
                    stripe_customer_id=sandbox.provision_customer(
                        account,
                        customer_id,
                        name=customer["name"],
                        email=customer.get("email") or None,
                        payment_method=(settings and settings.payment_method)
                        or "pm_card_visa",
                        pays_after_days=settings.pays_after_days if settings else None,
                    ),
                )
    finally:
        sandbox.close()
        operations.close()


def _clock(sandbox: Sandbox | None) -> Callable[[], datetime]:
    return (lambda: sandbox.now) if sandbox else (lambda: datetime.now(UTC))


__all__ = [
    "BillingRun",
    "DbtError",
    "RunRefused",
    "build_after_load",
    "build_readers",
    "build_until_close",
    "check_workspace",
    "close_books",
    "copy_operations",
    "exclusive",
    "land_usage",
    "load_stripe",
    "publish_finance_copy",
    "publish_invoices",
]
