select
    pricing_unit_id,
    pricing_unit_name
from {{ source('catalog', 'pricing_units') }}
