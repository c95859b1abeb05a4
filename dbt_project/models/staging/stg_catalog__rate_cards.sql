select
    catalog_row,
    rate_card_id,
    name as rate_card_name,
    upper(currency) as currency
from {{ source('catalog', 'rate_cards') }}
