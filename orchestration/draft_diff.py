"""What an edit of the price book changes, before it is run.

The models up to the draft lines are built once more, as of the last run and with the
catalog as it stands now, in a copy of the warehouse that is thrown away. The lines of
the last run and the new ones are compared in SQL. Nothing of the workspace is written.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.billing_run import (
    BillingRun,
    RunRefused,
    check_workspace,
    exclusive,
)
from orchestration.catalog import combined_hash, file_hashes
from orchestration.dbt_runner import NodeResult
from orchestration.duck import connect
from orchestration.warehouse import Warehouse
from orchestration.workspace import Workspace

DRAFTS = ("+draft_invoice_lines", "+draft_invoices")

# Catalog tables that metering reads for prices of single events only.
PRICES = {"rates", "overrides", "override_specifiers"}
PER_EVENT = ("event_fee", "free_events", "event_minimum", "event_maximum")

# Databases are copied or left out, never shared with the copy.
STORES = {".duckdb", ".sqlite", ".wal"}

CSV_COLUMNS = (
    "customer_id",
    "contract_id",
    "invoice_id",
    "period_start",
    "period_end",
    "line_type",
    "product_id",
    "line_name",
    "pricing_group_values",
    "presentation_group_values",
    "segment_id",
    "currency",
    "pricing_unit_id",
    "old",
    "new",
    "difference",
)

# Of the invoices that the last run drafted, those that it then closed are no drafts. A
# run of a version without pricing units drafted no lines in them.
KEEP_OLD_LINES = """
create schema draft_diff;
create table draft_diff.old_invoices as
    from invoicing.draft_invoices
    where invoice_id not in (select invoice_id from staging.stg_books__invoices);
create table draft_diff.old_lines as
    from invoicing.draft_invoice_lines
    where invoice_id in (select invoice_id from draft_diff.old_invoices);
alter table draft_diff.old_lines add column if not exists pricing_unit_id varchar;
"""

COMPARED_LINES = """
with old_lines as (
    select lines.*, invoices.customer_id, invoices.contract_id
    from draft_diff.old_lines as lines
    inner join draft_diff.old_invoices as invoices using (invoice_id)
),
new_lines as (
    select lines.*, invoices.customer_id, invoices.contract_id
    from invoicing.draft_invoice_lines as lines
    inner join invoicing.draft_invoices as invoices using (invoice_id)
)
select
    coalesce(new_lines.customer_id, old_lines.customer_id) as customer_id,
    coalesce(new_lines.contract_id, old_lines.contract_id) as contract_id,
    invoice_id,
    coalesce(new_lines.period_start, old_lines.period_start) as period_start,
    coalesce(new_lines.period_end, old_lines.period_end) as period_end,
    line_type,
    coalesce(new_lines.product_id, old_lines.product_id) as product_id,
    coalesce(new_lines.line_name, old_lines.line_name) as line_name,
    coalesce(new_lines.pricing_group_values, old_lines.pricing_group_values)
        as pricing_group_values,
    coalesce(new_lines.presentation_group_values, old_lines.presentation_group_values)
        as presentation_group_values,
    coalesce(new_lines.segment_id, old_lines.segment_id) as segment_id,
    currency,
    -- The unit of a conversion line is that of its quantity; its amount is money.
    case
        when line_type <> 'cpu_conversion'
            then coalesce(new_lines.pricing_unit_id, old_lines.pricing_unit_id)
    end as pricing_unit_id,
    old_lines.amount as old_amount,
    new_lines.amount as new_amount,
    old_lines.amount_minor as old_minor,
    new_lines.amount_minor as new_minor
from old_lines
full outer join new_lines using (invoice_id, line_key, line_type, currency)
"""

CHANGED_LINES = f"""
from ({COMPARED_LINES})
where
    old_minor is distinct from new_minor
    or (pricing_unit_id is not null and old_amount is distinct from new_amount)
"""

CURRENCY_TOTALS = f"""
select
    currency,
    coalesce(sum(old_minor), 0) as old_minor,
    coalesce(sum(new_minor), 0) as new_minor,
    count(*) filter (old_minor <> new_minor) as changed,
    count(*) filter (old_minor is null) as appeared,
    count(*) filter (new_minor is null) as vanished
from ({COMPARED_LINES}) group by currency order by currency
"""

INVOICE_COUNTS = """
select
    count(*) filter (old_invoices.invoice_id is null) as appeared,
    count(*) filter (new_invoices.invoice_id is null) as vanished
from draft_diff.old_invoices as old_invoices
full outer join invoicing.draft_invoices as new_invoices using (invoice_id)
"""


@dataclass(frozen=True)
class LineChange:
    """A line whose amount differs. `old` or `new` is None where there is no line; both
    are in whole units of the currency, with exactly its own decimals, or where there is
    a `pricing_unit_id` exact in that."""

    customer_id: str
    contract_id: str
    invoice_id: str
    period_start: datetime
    period_end: datetime
    line_type: str
    product_id: str | None
    line_name: str
    pricing_group_values: str
    presentation_group_values: str
    segment_id: str | None
    currency: str
    pricing_unit_id: str | None
    old: Decimal | None
    new: Decimal | None

    @property
    def unit(self) -> str:
        """What the amounts are in, for people."""
        return self.pricing_unit_id or self.currency

    @property
    def groups(self) -> str:
        """`model=large, region=us`, for people."""
        values: dict[str, str] = {
            **json.loads(self.pricing_group_values),
            **json.loads(self.presentation_group_values),
        }
        return ", ".join(f"{key}={value}" for key, value in values.items())

    @property
    def difference(self) -> Decimal:
        """New less old; the whole amount where a line appears or vanishes."""
        # A zero of the other's decimals: 0.00, not 0.
        if self.old is None or self.new is None:
            only = self.new if self.old is None else self.old
            nothing = only - only if only is not None else Decimal()
            return (self.new or nothing) - (self.old or nothing)
        return self.new - self.old


@dataclass(frozen=True)
class CurrencyTotal:
    """All open drafts of a currency, lines without a difference included."""

    currency: str
    old: Decimal
    new: Decimal
    changed: int
    appeared: int
    vanished: int

    @property
    def difference(self) -> Decimal:
        return self.new - self.old


@dataclass(frozen=True)
class DraftDiff:
    """The differences, the largest first; `changed_files` is None when the warehouse
    does not know the files that its tables were built from, `notes` say what else than
    the edit may be among the differences."""

    as_of: datetime
    changes: tuple[LineChange, ...]
    totals: tuple[CurrencyTotal, ...]
    invoices_appeared: int
    invoices_vanished: int
    changed_files: tuple[str, ...] | None
    notes: tuple[str, ...]


def diff_drafts(
    workspace: Workspace, on_node: Callable[[NodeResult], None] | None = None
) -> DraftDiff:
    """Compare the open drafts under the catalog as it stands with the last run's.

    Raises:
        WorkspaceError: the catalog has a mistake.
        RunRefused: there is no run to compare with, or one is under way.
        DbtError: a model failed, or a check that a run would refuse to go on behind.
    """
    check_workspace(workspace)
    if not workspace.warehouse.exists():
        raise RunRefused(_nothing_to_compare(workspace))
    with tempfile.TemporaryDirectory(prefix="meterhouse-diff-") as folder:
        with exclusive(workspace):
            copied = _copy(workspace, Path(folder))
        with _environment(copied):
            return _compare(workspace, copied, on_node)


def write_csv(diff: DraftDiff, path: Path) -> None:
    """Every difference as a row of CSV; amounts are text with the currency's decimals,
    no line is an empty field."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for change in diff.changes:
            writer.writerow(_text(getattr(change, name)) for name in CSV_COLUMNS)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else f"{value}"


def _nothing_to_compare(workspace: Workspace) -> str:
    return (
        "nothing to compare with: no run has made drafts in this workspace yet. "
        f"Run first: meterhouse run -w {workspace.directory}"
    )


def _copy(workspace: Workspace, folder: Path) -> Workspace:
    """A workspace to be thrown away. The lake and what SQL of the workspace's own may
    read stay where they are: nothing between metering and the drafts writes there."""
    copied = Workspace(folder, workspace.settings)
    for name in (workspace.warehouse.name, f"{workspace.warehouse.name}.wal"):
        if (workspace.directory / name).exists():
            shutil.copyfile(workspace.directory / name, folder / name)
    copied.models.mkdir()
    for source, target in (
        (workspace.catalog, copied.catalog),
        (workspace.models, copied.models),
        (workspace.ops, copied.ops),
    ):
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
    for entry in workspace.directory.iterdir():
        is_store = entry.suffix in STORES or entry == workspace.internal
        if not is_store and not (folder / entry.name).exists():
            (folder / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    return copied


@contextmanager
def _environment(workspace: Workspace) -> Iterator[None]:
    """Have dbt write the copy, whatever warehouse the environment names; put back
    afterwards, or what follows in this process would look for the copy."""
    names = ("METERHOUSE_WORKSPACE", "METERHOUSE_MODELS", "METERHOUSE_WAREHOUSE")
    before = {name: os.environ.get(name) for name in names}
    os.environ["METERHOUSE_WAREHOUSE"] = str(workspace.warehouse)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _compare(
    workspace: Workspace,
    copied: Workspace,
    on_node: Callable[[NodeResult], None] | None,
) -> DraftDiff:
    warehouse = Warehouse(copied)
    last, notes = _last_run(workspace, warehouse)
    changed = _changed_files(copied, warehouse, last)
    run = BillingRun(copied, last["as_of"].replace(tzinfo=UTC), on_node=on_node)
    is_metered = _is_metered(run, last, changed)
    with connect(copied.warehouse) as connection:
        connection.execute(KEEP_OLD_LINES)
    run.dbt.build(
        DRAFTS, ("resource_type:test", *(["metering"] if is_metered else []))
    ).raise_for_failures()
    # Laws look at the run's own figures; checks look at the catalog beside the books.
    run.dbt.test(["tag:check"], ["tag:reader+"]).raise_for_failures()
    if not is_metered:
        notes += _usage_landed_since(warehouse, last)
    return _differences(warehouse, run.as_of, changed, tuple(notes))


def _last_run(
    workspace: Workspace, warehouse: Warehouse
) -> tuple[dict[str, Any], list[str]]:
    """The build that the drafts are of, and what to tell when it is not known: steps
    after the drafts (loading Stripe, metering the next day) are builds of their own."""
    drafts = warehouse.rows_or_none(
        "select distinct build_id from invoicing.draft_invoices"
    )
    last = warehouse.rows_or_none("select * from ops.build")
    if drafts is None or not last:
        raise RunRefused(_nothing_to_compare(workspace))
    metered = warehouse.rows_or_none("select * from ops.metered_usage_build") or []
    for build in (*last, *metered):
        if drafts in ([], [{"build_id": build["build_id"]}]):
            return build, []
    return last[0], [
        "The drafts are older than the last step of the warehouse: usage that was "
        "metered in between counts as a difference. After a meterhouse run it does not."
    ]


def _changed_files(
    copied: Workspace, warehouse: Warehouse, last: Mapping[str, Any]
) -> tuple[str, ...] | None:
    """Catalog files that differ from the build's; None when they are not known."""
    built = {
        row["catalog_file"]: row["content_hash"]
        for row in warehouse.rows_or_none("select * from ops.catalog_files") or ()
    }
    if combined_hash(built) != last["catalog_hash"]:
        return None
    now = file_hashes(copied)
    return tuple(
        sorted(name for name in built | now if built.get(name) != now.get(name))
    )


def _is_metered(
    run: BillingRun, last: Mapping[str, Any], changed: tuple[str, ...] | None
) -> bool:
    """Do the metered rows of the last run hold under the edited catalog? They do when
    no file that metering reads was edited. What an SQL metric reads is not known."""
    metered = run.warehouse.rows_or_none(
        "select catalog_hash from ops.metered_usage_build"
    )
    if not metered or changed is None or run.workspace.settings.metric_models:
        return False
    if metered[0]["catalog_hash"] != last["catalog_hash"]:
        return False
    read = run.dbt.sources_of("metering", "catalog")
    if not _looks_at_events(run):
        read -= PRICES
    return not set(changed) & {f"{name}.csv" for name in read}


def _looks_at_events(run: BillingRun) -> bool:
    """May some price ask for single events? Metering keeps those of such prices only,
    so another edit of a price leaves what is metered as it is."""
    if run.workspace.settings.rate_models:
        return True
    return any(
        row.get("price_model") == "dynamic" or any(map(row.get, PER_EVENT))
        for name in ("rates", "overrides")
        if (run.workspace.catalog / f"{name}.csv").exists()
        for row in run.warehouse.read_catalog(name)
    )


def _usage_landed_since(warehouse: Warehouse, last: Mapping[str, Any]) -> list[str]:
    landed = warehouse.rows("select max(landing_sequence) as last from lake.events")
    if (landed[0]["last"] or 0) <= last["watermark"]:
        return []
    return ["Usage landed after the last run: it counts as a difference."]


def _differences(
    warehouse: Warehouse,
    as_of: datetime,
    changed_files: tuple[str, ...] | None,
    notes: tuple[str, ...],
) -> DraftDiff:
    exponents = {
        row["currency"]: row["minor_unit_exponent"]
        for row in warehouse.rows("select * from staging.stg_currencies")
    }

    def whole(minor: int, currency: str) -> Decimal:
        return Decimal(int(minor)).scaleb(-exponents[currency])

    changes = []
    for row in warehouse.rows(CHANGED_LINES):
        for name in ("old", "new"):
            minor, exact = row.pop(f"{name}_minor"), row.pop(f"{name}_amount")
            if minor is None:
                row[name] = None
            elif row["pricing_unit_id"]:
                row[name] = Decimal(f"{exact.normalize():f}")
            else:
                row[name] = whole(minor, row["currency"])
        for name in ("period_start", "period_end"):
            row[name] = row[name].replace(tzinfo=UTC)
        changes.append(LineChange(**row))
    totals = [
        CurrencyTotal(
            currency=row["currency"],
            old=whole(row["old_minor"], row["currency"]),
            new=whole(row["new_minor"], row["currency"]),
            changed=row["changed"],
            appeared=row["appeared"],
            vanished=row["vanished"],
        )
        for row in warehouse.rows(CURRENCY_TOTALS)
    ]
    invoices = warehouse.rows(INVOICE_COUNTS)[0]
    return DraftDiff(
        as_of=as_of,
        changes=tuple(sorted(changes, key=_largest_first)),
        totals=tuple(totals),
        invoices_appeared=invoices["appeared"],
        invoices_vanished=invoices["vanished"],
        changed_files=changed_files,
        notes=notes,
    )


def _largest_first(change: LineChange) -> tuple[Any, ...]:
    return (
        # Of a unit nobody knows here what it is worth.
        change.pricing_unit_id or "",
        -abs(change.difference),
        change.customer_id,
        change.contract_id,
        change.period_start,
        change.line_name,
        change.pricing_group_values,
        change.presentation_group_values,
        change.currency,
    )
