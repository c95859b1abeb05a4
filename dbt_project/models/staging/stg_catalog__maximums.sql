select
    maximum_id as limit_id,
    contract_id,
    'maximum' as limit_type,
    scope as limit_scope,
    product_ids,
    {{ to_amount('amount') }} as amount,
    coalesce(is_prorated, false) as is_prorated,
    starting_at,
    ending_before
from {{ source('catalog', 'maximums') }}
