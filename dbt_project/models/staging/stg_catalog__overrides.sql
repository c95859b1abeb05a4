select
    override_id,
    contract_id,
    override_type,
    multiplier,
    coalesce(target, 'LIST_RATE') as price_target,
    coalesce(is_commit_specific, false) as is_commit_specific,
    cast(priority as decimal(18, 12)) as priority,
    coalesce(
        entitled, case when override_type = 'overwrite' then true end
    ) as is_entitled,
    {{ select_rate_terms(source('catalog', 'overrides')) }},
    unit_price,
    coalesce(created_at, starting_at) as added_at,
    starting_at,
    ending_before
from {{ source('catalog', 'overrides') }}
