select
    threshold_id,
    contract_id,
    name as grant_name,
    {{ to_amount('threshold_amount') }} as threshold_amount,
    {{ to_amount('recharge_to_amount') }} as recharge_to_amount,
    cast(coalesce(payment_fraction, 1) as {{ unit_price_type() }}) as payment_fraction,
    coalesce(priority, 100) as priority,
    applicable_product_ids,
    starting_at,
    ending_before
from {{ source('catalog', 'thresholds') }}
