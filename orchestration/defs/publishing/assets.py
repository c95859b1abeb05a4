"""Stripe hears of closed invoices here, and only here."""

import dagster as dg

from orchestration.billing_run import exclusive, publish_invoices
from orchestration.dbt_assets import POOL
from orchestration.partitions import billing_months
from orchestration.resources import MeterhouseResource


@dg.asset(
    key=dg.AssetKey(["publishing", "published_invoices"]),
    group_name="publishing",
    deps=[
        dg.AssetKey(["publishing", "stripe_invoice_requests"]),
        dg.AssetKey(["publishing", "stripe_invoice_line_requests"]),
    ],
    partitions_def=billing_months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description=(
        "Sends each closed invoice to Stripe exactly once. Refuses while a law is red."
    ),
    owners=["team:billing"],
    kinds={"python", "stripe"},
    pool=POOL,
)
def published_invoices(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> dg.MaterializeResult:
    run = meterhouse.billing_run(context)
    if run.is_preview:
        return dg.MaterializeResult(metadata={"said": "a preview publishes nothing"})
    with exclusive(run.workspace):
        results = publish_invoices(run)
    states: dict[str, int] = {}
    for result in results:
        states[result.state] = states.get(result.state, 0) + 1
        if result.error:
            context.log.warning(f"{result.invoice_id}: {result.error}")
    return dg.MaterializeResult(metadata={"invoices": len(results), **states})
