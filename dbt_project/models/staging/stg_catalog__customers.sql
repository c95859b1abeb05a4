select
    catalog_row,
    customer_id,
    name as customer_name,
    email,
    ingest_aliases,
    stripe_customer_id,
    billing_profile_id,
    time_zone
from {{ source('catalog', 'customers') }}
