select
    alias,
    rate_card_id,
    starting_at,
    ending_before
from {{ source('catalog', 'rate_card_aliases') }}
