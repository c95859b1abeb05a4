"""What usage costs, and what of it was already paid: everything before the close.

Rating, credits and drafts are built in one step: dbt knows their order, and a step of
its own for each would cost more than their work.
"""

from orchestration.billing_run import copy_operations
from orchestration.dbt_assets import stage_assets
from orchestration.partitions import MONTH_BY_MONTH, billing_months

draft_models = stage_assets(
    name="draft_models",
    select="rating credits invoicing",
    exclude="tag:reader",
    partitions_def=billing_months,
    backfill_policy=MONTH_BY_MONTH,
    before=copy_operations,
)
