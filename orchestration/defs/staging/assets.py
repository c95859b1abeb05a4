"""What came in: landing, and the typed views over it."""

from collections.abc import Iterator

import dagster as dg

from orchestration.billing_run import (
    check_workspace,
    copy_operations,
    exclusive,
    land_usage,
)
from orchestration.dbt_assets import manifest, stage_assets
from orchestration.resources import MeterhouseResource

EVENTS = dg.AssetKey(["lake", "events"])
REJECTS = dg.AssetKey(["lake", "rejects"])


@dg.multi_asset(
    name="land_usage",
    group_name="staging",
    specs=[
        dg.AssetSpec(
            EVENTS,
            description="Usage events as Parquet by event day; landed once, never changed.",
            owners=["team:billing"],
            kinds={"parquet"},
        ),
        dg.AssetSpec(
            REJECTS,
            description="Rows that could not be landed, kept whole with the reason.",
            owners=["team:billing"],
            kinds={"parquet"},
        ),
    ],
)
def land_usage_files(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> Iterator[dg.MaterializeResult]:
    run = meterhouse.billing_run(context)
    check_workspace(run.workspace)
    with exclusive(run.workspace):
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
    parsed=manifest(),
    before=copy_operations,
)
