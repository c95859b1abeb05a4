select
    catalog_row,
    metric_id,
    property,
    operator,
    property_values
from {{ source('catalog', 'metric_filters') }}
