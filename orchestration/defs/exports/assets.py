"""What leaves for finance, replaced whole at the end of each run."""

import dagster as dg

from orchestration.billing_run import publish_finance_copy
from orchestration.dbt_assets import OWNERS, POOL, manifest
from orchestration.resources import MeterhouseResource, is_preview


def export_keys() -> list[dg.AssetKey]:
    """The models that become files, each one a file."""
    return sorted(
        dg.AssetKey(["exports", node["name"]])
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "exports"
    )


@dg.asset(
    key=dg.AssetKey(["exports", "finance_copy"]),
    group_name="exports",
    deps=export_keys(),
    description=(
        "What finance reads: `finance.duckdb` and the Parquet and CSV files below "
        "`exports/`, each put in place whole, so that no reader ever waits for a run."
    ),
    owners=list(OWNERS),
    kinds={"duckdb", "parquet", "csv"},
    pool=POOL,
)
def finance_copy(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> dg.MaterializeResult:
    with meterhouse.open_run(context) as run:
        if is_preview(run):
            return dg.MaterializeResult(metadata={"said": "a preview is not published"})
        counts = publish_finance_copy(run)
    return dg.MaterializeResult(
        metadata={
            "tables": len(counts),
            "file": dg.MetadataValue.path(str(run.workspace.finance)),
            **counts,
        }
    )
