select
    rate_id,
    tier_start,
    tier_end,
    unit_price
from {{ source('catalog', 'rate_tiers') }}
