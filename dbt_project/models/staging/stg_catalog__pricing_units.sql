select
    pricing_unit_id,
    pricing_unit_name,
    coalesce(decimal_places, 12) as decimal_places
from {{ source('catalog', 'pricing_units') }}
