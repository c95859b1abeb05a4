select
    catalog_row,
    metric_id,
    name as metric_name,
    aggregation,
    aggregation_key,
    event_types,
    excluded_event_types,
    group_keys,
    coalesce(granularity, 'hour') as granularity,
    coalesce(carry_forward, false) as is_carried_forward,
    coalesce(no_look_ahead, false) as is_without_look_ahead
from {{ source('catalog', 'billable_metrics') }}
