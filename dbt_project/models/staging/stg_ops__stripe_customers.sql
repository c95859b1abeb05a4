select
    account,
    customer_id,
    stripe_customer_id
from {{ source('ops', 'stripe_customers') }}
