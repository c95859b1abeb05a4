{#
  What each tranche has left for open periods. Draws are known by tranche; whatever else
  has lowered the segment (negative entries by hand, also those that take effect later,
  what was withdrawn, and what has expired) comes off the first tranches first.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

tranches as (

    select * from {{ ref('undrawn_tranches') }}

),

unposted_entries as (

    select
        segment_id,
        amount_minor
    from {{ ref('unposted_manual_entries') }}
    union all
    select
        segment_id,
        amount_minor
    from {{ ref('void_entries') }}
    union all
    select
        segment_id,
        amount_minor
    from {{ ref('seat_adjustments') }}
    where not is_posted

),

unposted as (

    select
        segment_id,
        cast(sum(amount_minor) as bigint) as unposted_minor
    from unposted_entries
    group by 1

),

reduced as (

    select
        tranches.tranche_id,
        sum(tranches.undrawn_minor) over (
            partition by tranches.segment_id
            order by tranches.tranche_number
            rows between unbounded preceding and current row
        ) as running_minor,
        greatest(
            sum(tranches.undrawn_minor) over (partition by tranches.segment_id)
            - grants.opening_balance_minor
            - coalesce(unposted.unposted_minor, 0),
            0
        ) as taken_minor
    from tranches
    inner join grants
        on tranches.segment_id = grants.segment_id
    left join unposted
        on tranches.segment_id = unposted.segment_id

),

final as (

    select
        tranches.tranche_id,
        tranches.segment_id,
        tranches.tranche_number,
        grants.grant_id,
        grants.grant_type,
        grants.customer_id,
        grants.family_id,
        grants.currency,
        grants.pricing_unit_id,
        grants.burn_level,
        grants.burn_rank,
        grants.seat_group_values,
        cast(
            greatest(reduced.running_minor - reduced.taken_minor, 0)
            - greatest(
                reduced.running_minor - tranches.undrawn_minor - reduced.taken_minor, 0
            ) as bigint
        ) as opening_balance_minor,
        tranches.starting_at,
        grants.ending_before
    from tranches
    inner join reduced
        on tranches.tranche_id = reduced.tranche_id
    inner join grants
        on tranches.segment_id = grants.segment_id

)

select * from final
