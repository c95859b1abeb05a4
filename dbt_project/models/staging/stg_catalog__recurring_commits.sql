select
    recurring_commit_id,
    contract_id,
    name as grant_name,
    grant_type,
    pricing_unit_id,
    applicable_product_ids,
    applicable_product_tags,
    coalesce(child_access, 'NONE') as child_access,
    child_contract_ids,
    {{ to_amount('amount') }} as amount,
    {{ to_amount("coalesce(invoice_amount, 0)") }} as invoice_amount,
    coalesce(do_not_invoice, false) as do_not_invoice,
    coalesce(priority, case when grant_type = 'CREDIT' then 50 else 100 end)
        as priority,
    coalesce(rate_type, 'LIST_RATE') as rate_type,
    coalesce(recurrence_frequency, 'STATEMENT') as recurrence_frequency,
    coalesce(commit_duration_periods, 1) as commit_duration_periods,
    coalesce(proration, 'FIRST_AND_LAST') as proration,
    subscription_id,
    case when subscription_id is not null then coalesce(allocation, 'POOLED') end
        as allocation,
    coalesce(is_seat_increase_prorated, false) as is_seat_increase_prorated,
    starting_at,
    ending_before
from {{ source('catalog', 'recurring_commits') }}
