select
    commit_id as grant_id,
    customer_id,
    contract_id,
    name as grant_name,
    'PREPAID_COMMIT' as grant_type,
    upper(currency) as currency,
    applicable_product_ids,
    applicable_product_tags,
    applicable_contract_ids,
    {{ to_amount('amount') }} as amount,
    {{ to_amount("coalesce(invoice_amount, 0)") }} as invoice_amount,
    coalesce(priority, 100) as priority,
    starting_at,
    ending_before,
    created_at
from {{ source('catalog', 'commits') }}
