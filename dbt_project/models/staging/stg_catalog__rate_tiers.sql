select
    rate_id,
    tier_start,
    tier_end,
    cast(coalesce(unit_price, 0) as {{ unit_price_type() }}) as unit_price,
    commit_rate,
    {{ to_amount('coalesce(flat_amount, 0)') }} as flat_amount
from {{ source('catalog', 'rate_tiers') }}
