select
    catalog_row,
    product_id,
    name as product_name,
    product_type,
    metric_id,
    {{ key_set('pricing_group_keys', 'presentation_group_keys') }} as key_set,
    pricing_group_keys,
    presentation_group_keys,
    quantity_conversion,
    conversion_factor,
    quantity_rounding,
    coalesce(rounding_places, 0) as rounding_places,
    tags,
    composite_product_ids,
    composite_tags,
    coalesce(exclude_free_usage, false) as exclude_free_usage,
    case
        when row_number() over one_product = 1 then {{ beginning() }}
        else starting_at
    end as starting_at,
    lead(starting_at) over one_product as ending_before
from {{ source('catalog', 'products') }}
window one_product as (
    partition by product_id order by coalesce(starting_at, {{ beginning() }})
)
