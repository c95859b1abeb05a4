"""What came in: landing, and the typed views over them."""

from collections.abc import Iterator

import dagster as dg

from orchestration.billing_run import copy_operations, land_usage
from orchestration.dbt_assets import (
    OWNERS,
    POOL,
    check_price_book,
    stage_assets,
)
from orchestration.resources import MeterhouseResource, is_preview

EVENTS = dg.AssetKey(["lake", "events"])
REJECTS = dg.AssetKey(["lake", "rejects"])


@dg.multi_asset(
    name="land_usage",
    group_name="staging",
    specs=[
        dg.AssetSpec(
            EVENTS,
            description="Usage events, Parquet by day; once landed, never changed.",
            owners=list(OWNERS),
            kinds={"parquet"},
        ),
        dg.AssetSpec(
            REJECTS,
            description="Rows that could not be landed, kept whole with the reason.",
            owners=list(OWNERS),
            kinds={"parquet"},
        ),
    ],
    pool=POOL,
)
def land_usage_files(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> Iterator[dg.MaterializeResult]:
    with meterhouse.open_run(context) as run:
        check_price_book(run.workspace)
        if is_preview(run):
            # What lands is stamped with the run's instant: never with a past one.
            for key in (EVENTS, REJECTS):
                yield dg.MaterializeResult(
                    asset_key=key, metadata={"said": "a preview lands nothing"}
                )
            return
        summary = land_usage(run)
    for warning in summary.warnings:
        context.log.warning(warning)
    yield dg.MaterializeResult(
        asset_key=EVENTS,
        metadata={
            "files": summary.files,
            "rows_read": summary.rows_read,
            "rows_landed": summary.rows_landed,
            "days": len(summary.new_event_dates),
        },
    )
    yield dg.MaterializeResult(
        asset_key=REJECTS,
        metadata={
            "rows_rejected": summary.rows_rejected,
            **{f"reason_{k}": v for k, v in summary.rejects_by_reason.items()},
        },
    )


# Views over Stripe's objects are built with the payments, after they are loaded.
staging_models = stage_assets(
    name="staging_models",
    select="staging +stg_catalog__rates +stg_currencies",
    exclude="stg_stripe__*",
    before=copy_operations,
)
