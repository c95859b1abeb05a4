"""Closing, and the tables that show drafts and closed invoices alike."""

import dagster as dg

from orchestration.billing_run import close_books, copy_operations, exclusive
from orchestration.dbt_assets import CLOSE_KEY, POOL, manifest, stage_assets
from orchestration.partitions import billing_months
from orchestration.resources import MeterhouseResource


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
        dg.AssetKey(["rating", "rated_usage"]),
    ],
    partitions_def=billing_months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Appends what is due to the books: closed invoices never change again.",
    owners=["team:billing"],
    kinds={"sql"},
    pool=POOL,
)
def close(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> dg.MaterializeResult:
    run = meterhouse.billing_run(context)
    with exclusive(run.workspace):
        if run.is_preview:
            said = ["a preview: the books were closed at a later moment"]
        else:
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
        }
    )


# The readers of every stage wait for the close, so they are built together.
reader_models = stage_assets(
    name="reader_models",
    select="tag:reader",
    exclude=None,
    parsed=manifest(),
    partitions_def=billing_months,
    before=copy_operations,
)
