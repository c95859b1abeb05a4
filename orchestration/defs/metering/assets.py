"""How much was used, by day."""

from orchestration.dbt_assets import stage_assets
from orchestration.partitions import DAYS_TOGETHER, usage_days

# With the workspace's own SQL metrics, which lie outside the folder.
metering_models = stage_assets(
    name="metering_models",
    select="metering +metered_usage",
    exclude="staging +stg_catalog__rates resource_type:seed",
    partitions_def=usage_days,
    backfill_policy=DAYS_TOGETHER,
)
