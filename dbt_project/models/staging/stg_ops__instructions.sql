select
    instruction_number,
    instruction_id,
    kind,
    target_type,
    target_id,
    actor,
    reason,
    case
        when kind = 'manual_ledger_entry'
            then {{ to_amount(json_path_text('payload', 'details', 'amount')) }}
    end as amount,
    {{ json_path_text('payload', 'details', 'currency') }} as currency,
    {{ json_path_text('payload', 'details', 'pricing_unit_id') }} as pricing_unit_id,
    created_at,
    effective_at
from {{ source('ops', 'instructions') }}
where created_at <= (select build.as_of from {{ source('ops', 'build') }} as build)
