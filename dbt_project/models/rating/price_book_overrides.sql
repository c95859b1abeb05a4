{# Today's overrides, and those of each close as they were frozen then. Of several that
   match, the lowest choice_rank counts: an overwrite before any multiplier, then the
   contract's own rule (lowest multiplier, or explicit priority). #}
{{ config(materialized=deep_view()) }}

with

current_overrides as (

    select * from {{ ref('stg_catalog__overrides') }}
    where not {{ is_for_commits() }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

frozen_overrides as (

    select distinct
        {{ frozen_columns('frozen_overrides') }}
    from {{ ref('stg_books__frozen_overrides') }}

),

final as (

    select
        'current' as price_book,
        current_overrides.override_id,
        current_overrides.contract_id,
        current_overrides.override_type,
        case
            when current_overrides.override_type = 'overwrite'
                then cast(-1 as decimal(18, 12))
            when contracts.multiplier_override_prioritization = 'explicit'
                then current_overrides.priority
            else current_overrides.multiplier
        end as choice_rank,
        current_overrides.is_entitled,
        current_overrides.added_at,
        current_overrides.starting_at,
        current_overrides.ending_before
    from current_overrides
    inner join contracts
        on current_overrides.contract_id = contracts.contract_id
    union all
    select
        catalog_hash as price_book,
        override_id,
        contract_id,
        override_type,
        choice_rank,
        is_entitled,
        added_at,
        starting_at,
        ending_before
    from frozen_overrides

)

select * from final
