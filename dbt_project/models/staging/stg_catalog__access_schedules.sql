select
    coalesce(commit_id, credit_id) as grant_id,
    case when commit_id is null then 'CREDIT' else 'PREPAID_COMMIT' end as grant_type,
    {{ to_amount('amount') }} as amount,
    starting_at,
    ending_before
from {{ source('catalog', 'access_schedules') }}
