select
    rate_card_id,
    pricing_unit_id,
    amount_per_unit,
    starting_at
from {{ source('catalog', 'pricing_unit_conversions') }}
