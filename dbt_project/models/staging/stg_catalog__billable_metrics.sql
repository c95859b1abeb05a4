select
    catalog_row,
    metric_id,
    name as metric_name,
    aggregation,
    aggregation_key,
    event_types,
    group_keys
from {{ source('catalog', 'billable_metrics') }}
