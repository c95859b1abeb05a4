select
    account,
    object_id as stripe_invoice_id,
    {{ json_text('payload', 'number') }} as stripe_number,
    {{ json_text('payload', 'status') }} as stripe_status,
    {{ json_text('payload', 'customer') }} as stripe_customer_id,
    {{ json_text('payload', 'collection_method') }} as collection_method,
    {{ json_path_text('payload', 'metadata', 'billing_invoice_id') }}
        as billing_invoice_id,
    {{ json_path_text('payload', 'metadata', 'billing_env') }} as billing_env,
    {{ json_text('payload', 'hosted_invoice_url') }} as hosted_invoice_url,
    lower({{ json_text('payload', 'currency') }}) as currency,
    cast({{ json_text('payload', 'subtotal') }} as bigint) as subtotal_minor,
    cast({{ json_text('payload', 'total') }} as bigint) as total_minor,
    cast({{ json_text('payload', 'amount_due') }} as bigint) as amount_due_minor,
    cast({{ json_text('payload', 'amount_paid') }} as bigint) as amount_paid_minor,
    cast({{ json_text('payload', 'amount_remaining') }} as bigint)
        as amount_remaining_minor,
    cast({{ json_text('payload', 'attempt_count') }} as bigint) as attempt_count,
    coalesce(cast({{ json_text('payload', 'attempted') }} as boolean), false)
        as is_attempted,
    {{ json_line_count('payload') }} as line_count,
    {{ from_epoch_seconds(json_text('payload', 'created')) }} as created_at,
    {{ from_epoch_seconds(json_text('payload', 'due_date')) }} as due_at,
    {{ from_epoch_seconds(
        json_path_text('payload', 'status_transitions', 'finalized_at')
    ) }} as finalized_at,
    {{ from_epoch_seconds(json_path_text('payload', 'status_transitions', 'paid_at')) }}
        as paid_at,
    fetched_at
from {{ ref('stg_stripe__objects') }}
where
    object_type = 'invoice'
    -- A draft that was deleted in Stripe is no invoice any more.
    and {{ json_text('payload', 'deleted') }} is null
