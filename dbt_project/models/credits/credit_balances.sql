{{ config(tags=['reader']) }}

{# What is left of each grant as of this run. #}
with

grants as (

    select * from {{ ref('granted_segments') }}

),

ledger as (

    select * from {{ ref('credit_ledger') }}

),

totals as (

    select
        segment_id,
        cast(sum(amount_minor) as bigint) as balance_minor,
        cast(
            sum(case when {{ is_start('entry_type') }} then amount_minor else 0 end)
            as bigint
        ) as started_minor,
        cast(
            sum(case when entry_state = 'posted' then amount_minor else 0 end) as bigint
        ) as posted_balance_minor,
        {{ used_by(['DEDUCTION', 'CREDITED']) }} as drawn_minor,
        {{ used_by(['EXPIRATION']) }} as expired_minor,
        {{ used_by(['ROLLOVER']) }} as rolled_over_minor,
        {{ used_by(['TRUEUP']) }} as trued_up_minor,
        {{ added_by(['MANUAL']) }} as manual_minor,
        {{ added_by(['SEAT_BASED_ADJUSTMENT']) }} as seat_adjustment_minor,
        {{ used_by(['CANCELED']) }} as canceled_minor
    from ledger
    group by 1

),

final as (

    select
        grants.segment_id,
        grants.grant_id,
        grants.grant_type,
        grants.grant_name,
        grants.customer_id,
        grants.applicable_contract_ids,
        grants.applicable_product_ids,
        case
            when grants.starting_at > {{ as_of() }} then 'future'
            when grants.ending_before <= {{ as_of() }} then 'ended'
            when totals.balance_minor = 0 then 'exhausted'
            else 'active'
        end as segment_status,
        grants.currency,
        grants.pricing_unit_id,
        -- What rolled over in this very run is not yet among the grants.
        case
            when grants.rolled_over_from is null then grants.amount_minor
            else coalesce(totals.started_minor, 0)
        end as amount_minor,
        coalesce(totals.drawn_minor, 0) as drawn_minor,
        coalesce(totals.expired_minor, 0) as expired_minor,
        coalesce(totals.rolled_over_minor, 0) as rolled_over_minor,
        coalesce(totals.trued_up_minor, 0) as trued_up_minor,
        coalesce(totals.manual_minor, 0) as manual_minor,
        coalesce(totals.seat_adjustment_minor, 0) as seat_adjustment_minor,
        coalesce(totals.canceled_minor, 0) as canceled_minor,
        coalesce(totals.balance_minor, 0) as balance_minor,
        coalesce(totals.posted_balance_minor, 0) as posted_balance_minor,
        {{ from_minor('coalesce(totals.balance_minor, 0)', 'grants.minor_unit') }}
            as balance,
        grants.burn_rank,
        grants.starting_at,
        grants.ending_before
    from grants
    left join totals
        on grants.segment_id = totals.segment_id

)

select * from final
