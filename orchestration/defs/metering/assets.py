"""How much was used, by day."""

from orchestration.dbt_assets import manifest, stage_assets
from orchestration.partitions import usage_days

metering_models = stage_assets(
    name="metering_models",
    select="metering",
    exclude=None,
    parsed=manifest(),
    partitions_def=usage_days,
)
