"""What Stripe says happened: load-back, then the tables over it."""

from collections.abc import Iterator

import dagster as dg

from orchestration.billing_run import copy_operations, load_stripe
from orchestration.dbt_assets import OWNERS, POOL, stage_assets
from orchestration.resources import MeterhouseResource, is_preview

OBJECTS = dg.AssetKey(["lake", "stripe_objects"])
EVENTS = dg.AssetKey(["lake", "stripe_events"])


@dg.multi_asset(
    name="load_stripe",
    group_name="payments",
    specs=[
        dg.AssetSpec(
            OBJECTS,
            deps=[dg.AssetKey(["publishing", "published_invoices"])],
            description="Stripe objects as fetched, one row per change that was seen.",
            owners=list(OWNERS),
            kinds={"stripe", "parquet"},
        ),
        dg.AssetSpec(
            EVENTS,
            deps=[dg.AssetKey(["publishing", "published_invoices"])],
            description="Stripe events: the signal that an object changed.",
            owners=list(OWNERS),
            kinds={"stripe", "parquet"},
        ),
    ],
    pool=POOL,
)
def load_stripe_objects(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> Iterator[dg.MaterializeResult]:
    with meterhouse.open_run(context) as run:
        counts = {} if is_preview(run) else load_stripe(run)
    for key, name in ((OBJECTS, "objects_written"), (EVENTS, "events_written")):
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={account: getattr(c, name) for account, c in counts.items()},
        )


payment_models = stage_assets(
    name="payment_models",
    select="stg_stripe__* payments reconciliation exports",
    before=copy_operations,
)
