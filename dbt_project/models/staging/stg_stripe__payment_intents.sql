select
    account,
    object_id as payment_intent_id,
    {{ json_text('payload', 'status') }} as payment_intent_status,
    {{ json_text('payload', 'latest_charge') }} as charge_id,
    {{ json_path_text('payload', 'last_payment_error', 'code') }} as error_code,
    {{ json_path_text('payload', 'last_payment_error', 'decline_code') }}
        as decline_code,
    {{ json_path_text('payload', 'last_payment_error', 'message') }} as error_message,
    fetched_at
from {{ ref('stg_stripe__objects') }}
where object_type = 'payment_intent'
