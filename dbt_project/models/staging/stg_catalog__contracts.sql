select
    catalog_row,
    contract_id,
    customer_id,
    rate_card_id,
    rate_card_alias,
    name as contract_name,
    renews_contract_id,
    parent_contract_id,
    billing_profile_id,
    coalesce(billing_frequency, 'MONTHLY') as billing_frequency,
    coalesce(billing_day, 'FIRST_OF_MONTH') as billing_day,
    coalesce(late_usage_policy, 'next_invoice') as late_usage_policy,
    coalesce(multiplier_override_prioritization, 'lowest_multiplier')
        as multiplier_override_prioritization,
    coalesce(net_payment_terms_days, 30) as net_payment_terms_days,
    coalesce(grace_hours, 24) as grace_hours,
    starting_at,
    ending_before
from {{ source('catalog', 'contracts') }}
