select
    account,
    object_id as invoice_payment_id,
    {{ json_text('payload', 'invoice') }} as stripe_invoice_id,
    {{ json_path_text('payload', 'payment', 'payment_intent') }} as payment_intent_id,
    {{ json_text('payload', 'status') }} as payment_status,
    lower({{ json_text('payload', 'currency') }}) as currency,
    cast({{ json_text('payload', 'amount_requested') }} as bigint)
        as amount_requested_minor,
    coalesce(cast({{ json_text('payload', 'amount_paid') }} as bigint), 0)
        as amount_paid_minor,
    {{ from_epoch_seconds(json_text('payload', 'created')) }} as created_at,
    {{ from_epoch_seconds(json_path_text('payload', 'status_transitions', 'paid_at')) }}
        as paid_at,
    fetched_at
from {{ ref('stg_stripe__objects') }}
where object_type = 'invoice_payment'
