select
    catalog_row,
    subscription_id,
    quantity,
    quantity_delta,
    starting_at
from {{ source('catalog', 'subscription_quantities') }}
