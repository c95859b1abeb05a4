select
    subscription_id,
    contract_id,
    name as subscription_name,
    coalesce(quantity_management_mode, 'QUANTITY_ONLY') as quantity_management_mode,
    seat_group_key,
    product_id,
    collection_schedule,
    coalesce(is_prorated, false) as is_prorated,
    starting_at,
    ending_before
from {{ source('catalog', 'subscriptions') }}
