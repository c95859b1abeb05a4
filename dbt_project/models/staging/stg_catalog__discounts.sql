select
    discount_id,
    contract_id,
    discount_type,
    percentage,
    {{ to_amount('amount') }} as amount,
    position,
    product_ids,
    product_tags,
    maximum_units,
    {{ to_amount('maximum_amount') }} as maximum_amount,
    starting_at,
    ending_before
from {{ source('catalog', 'discounts') }}
