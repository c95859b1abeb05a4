{{ config(materialized=deep_view()) }}

{# What may be withdrawn from each segment of a prepaid commit: all that is posted, and
   what the next close posts by hand or gives back. Open periods come after. #}
with

grants as (

    select * from {{ ref('credit_grants') }}
    where grant_type = 'PREPAID_COMMIT'

),

manual_entries as (

    select
        segment_id,
        cast(sum(amount_minor) as bigint) as amount_minor
    from {{ ref('unposted_manual_entries') }}
    -- What comes later by hand is not there to be withdrawn yet.
    where amount_minor < 0 or effective_at <= {{ as_of() }}
    group by 1

),

returned_entries as (

    select
        segment_id,
        amount_minor
    from {{ ref('void_reversals') }}
    union all
    select
        segment_id,
        amount_minor
    from {{ ref('void_expirations') }}

),

returned as (

    select
        segment_id,
        cast(sum(amount_minor) as bigint) as amount_minor
    from returned_entries
    group by 1

),

final as (

    select
        grants.segment_id,
        greatest(
            grants.opening_balance_minor
            + coalesce(manual_entries.amount_minor, 0)
            + coalesce(returned.amount_minor, 0),
            0
        ) as left_minor
    from grants
    left join manual_entries
        on grants.segment_id = manual_entries.segment_id
    left join returned
        on grants.segment_id = returned.segment_id

)

select * from final
