select
    commit_id as grant_id,
    {{ to_amount('amount') }} as amount,
    invoice_at
from {{ source('catalog', 'invoice_schedules') }}
