select
    instruction_number,
    instruction_id,
    kind,
    target_type,
    target_id,
    actor,
    reason,
    created_at,
    effective_at
from {{ source('ops', 'instructions') }}
where created_at <= (select build.as_of from {{ source('ops', 'build') }} as build)
