select
    subscription_id,
    seat_id,
    starting_at,
    ending_before
from {{ source('catalog', 'subscription_seats') }}
