"""Stripe hears of closed invoices here, and only here."""

import dagster as dg

from orchestration.billing_run import publish_invoices
from orchestration.dbt_assets import OWNERS, POOL
from orchestration.partitions import MONTH_BY_MONTH, billing_months
from orchestration.resources import MeterhouseResource, is_preview


@dg.asset(
    key=dg.AssetKey(["publishing", "published_invoices"]),
    group_name="publishing",
    deps=[
        dg.AssetKey(["publishing", "stripe_invoice_requests"]),
        dg.AssetKey(["publishing", "stripe_invoice_line_requests"]),
    ],
    partitions_def=billing_months,
    backfill_policy=MONTH_BY_MONTH,
    description=(
        "Sends each closed invoice to Stripe exactly once. Checks the laws for itself "
        "and refuses while one is red, also when it is launched alone."
    ),
    owners=list(OWNERS),
    kinds={"python", "stripe"},
    pool=POOL,
)
def published_invoices(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> dg.MaterializeResult:
    with meterhouse.open_run(context) as run:
        if is_preview(run):
            return dg.MaterializeResult(
                metadata={"said": "a preview publishes nothing"}
            )
        results = publish_invoices(run)
    states: dict[str, int] = {}
    for result in results:
        states[result.state] = states.get(result.state, 0) + 1
        if result.error:
            context.log.warning(f"{result.invoice_id}: {result.error}")
    return dg.MaterializeResult(
        metadata={
            "invoices": len(results),
            **states,
            "as_of": dg.MetadataValue.timestamp(run.as_of),
        }
    )
