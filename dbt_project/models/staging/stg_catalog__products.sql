select
    catalog_row,
    product_id,
    name as product_name,
    product_type,
    metric_id,
    {{ key_set('pricing_group_keys', 'presentation_group_keys') }} as key_set,
    pricing_group_keys,
    presentation_group_keys,
    tags
from {{ source('catalog', 'products') }}
