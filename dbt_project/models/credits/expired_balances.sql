{{ config(materialized='view') }}

{# What is left on each segment that has ended, until the books write it off. #}
with

grants as (

    select
        segment_id,
        grant_id,
        grant_type,
        customer_id,
        currency,
        pricing_unit_id,
        cast(sum(opening_balance_minor) as bigint) as opening_balance_minor,
        min(starting_at) as starting_at,
        ending_before
    from {{ ref('tranche_balances') }}
    group by 1, 2, 3, 4, 5, 6, 9

),

deductions as (

    select * from {{ ref('draft_deductions') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where
        rating_basis = 'open'
        and not is_closable

),

child_access as (

    select * from {{ ref('grant_contracts') }}
    where is_child

),

{# Charges of a period that is still open may yet draw on the segment, so its expiration
   is pending until every overlapping period is closed, of the customer and of children
   that may draw on it. #}
open_overlaps as (

    select grants.segment_id
    from grants
    inner join periods
        on
            grants.customer_id = periods.customer_id
            and grants.ending_before > periods.period_start
            and grants.starting_at < periods.period_end
    union
    select grants.segment_id
    from grants
    inner join child_access
        on
            grants.grant_type = child_access.grant_type
            and grants.grant_id = child_access.grant_id
    inner join periods
        on
            child_access.contract_id = periods.contract_id
            and grants.ending_before > periods.period_start
            and grants.starting_at < periods.period_end

),

drawn as (

    select
        segment_id,
        cast(sum(drawn_minor) as bigint) as drawn_minor
    from deductions
    group by 1

),

final as (

    select
        grants.segment_id,
        grants.grant_id,
        grants.grant_type,
        grants.customer_id,
        grants.currency,
        grants.pricing_unit_id,
        grants.opening_balance_minor - coalesce(drawn.drawn_minor, 0) as expired_minor,
        open_overlaps.segment_id is null as posts_at_close,
        grants.ending_before
    from grants
    left join drawn
        on grants.segment_id = drawn.segment_id
    left join open_overlaps
        on grants.segment_id = open_overlaps.segment_id
    where
        grants.ending_before <= {{ as_of() }}
        and grants.opening_balance_minor - coalesce(drawn.drawn_minor, 0) > 0

)

select * from final
