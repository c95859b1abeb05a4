"""Closing, and the tables that show drafts and closed invoices alike."""

import dagster as dg

from orchestration.billing_run import (
    BillingRun,
    RunRefused,
    close_books,
    copy_operations,
)
from orchestration.dbt_assets import CLOSE_KEY, OWNERS, POOL, stage_assets
from orchestration.partitions import MONTH_BY_MONTH, billing_months
from orchestration.resources import MeterhouseResource, is_preview

# Laws of the steps that a month's run does not repeat. Those of the drafts have just
# been checked in the step before: a red one stopped the run.
EARLIER_LAWS = (
    "path:dbt_project/tests/staging,tag:law",
    "path:dbt_project/tests/metering,tag:law",
)


@dg.asset(
    key=CLOSE_KEY,
    group_name="invoicing",
    deps=[
        dg.AssetKey(["invoicing", name])
        for name in (
            "draft_invoices",
            "draft_invoice_lines",
            "draft_invoice_sub_lines",
            "late_usage",
        )
    ]
    + [
        dg.AssetKey(["credits", "draft_ledger_entries"]),
        dg.AssetKey(["credits", "credit_drawdowns"]),
        dg.AssetKey(["credits", "draft_recharges"]),
        dg.AssetKey(["rating", "rated_usage"]),
    ],
    partitions_def=billing_months,
    backfill_policy=MONTH_BY_MONTH,
    description=(
        "Appends what is due to the books: closed invoices never change again. Refuses "
        "while usage is landed but not metered, or a closed invoice was altered."
    ),
    owners=list(OWNERS),
    kinds={"sql"},
    pool=POOL,
)
def close(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> dg.MaterializeResult:
    with meterhouse.open_run(context) as run:
        if is_preview(run):
            said = ["a preview: the books were closed at a later moment"]
        else:
            _refuse_red_laws(run)
            said = close_books(run)
        totals = run.warehouse.rows(
            "select count(*) as closes, coalesce(sum(invoice_count), 0) as invoices "
            "from books.closes"
        )[0]
    return dg.MaterializeResult(
        metadata={
            "said": "; ".join(said),
            "closes": totals["closes"],
            "closed_invoices": int(totals["invoices"]),
            "as_of": dg.MetadataValue.timestamp(run.as_of),
        }
    )


def _refuse_red_laws(run: BillingRun) -> None:
    red = run.dbt.test(EARLIER_LAWS).failed
    if red:
        names = ", ".join(node.name for node in red)
        raise RunRefused(
            f"close refused while a law is red: {names}. Run the job usage_day first: "
            "it lands and meters what is missing."
        )


# The readers of every stage wait for the close, so they are built together.
reader_models = stage_assets(
    name="reader_models",
    select="tag:reader",
    partitions_def=billing_months,
    backfill_policy=MONTH_BY_MONTH,
    before=copy_operations,
)
