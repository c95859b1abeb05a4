{{ config(materialized=deep_view()) }}

{#
  What the seats of a subscription add to the grants of a recurring commit, period by
  period: the seats that a period begins with, then each number above the highest that
  it has had. Fewer seats take nothing back. An INDIVIDUAL seat counts once in a period.
#}
with

periods as (

    select * from {{ ref('recurring_windows') }}
    where subscription_id is not null

),

spans as (

    select * from {{ ref('seat_spans') }}

),

held as (

    select
        periods.*,
        spans.seat_id,
        spans.seat_group_values,
        spans.quantity,
        greatest(spans.starting_at, periods.access_start) as held_from,
        coalesce(max(spans.quantity) over (
            partition by
                periods.recurring_commit_id, periods.period_start, spans.seat_id
            order by spans.starting_at
            rows between unbounded preceding and 1 preceding
        ), 0) as highest_before
    from periods
    inner join spans
        on
            periods.subscription_id = spans.subscription_id
            and periods.allocation = spans.allocation
            and periods.period_end > spans.starting_at
            and {{ endless('periods.ends_at') }} > spans.starting_at
            and spans.starting_at <= {{ as_of() }}
            and {{ endless('spans.ending_before') }} > periods.access_start

),

increases as (

    select
        *,
        quantity - highest_before as added_seats,
        min(held_from) over (
            partition by recurring_commit_id, period_start, seat_id
        ) as first_held_from,
        case
            when held_from > access_start and is_seat_increase_prorated then held_from
            else paid_from
        end as seats_paid_from
    from held
    where quantity > highest_before

),

final as (

    select
        grant_type,
        recurring_commit_id || ':' || {{ day_and_time('first_held_from') }}
        || coalesce(':' || seat_id, '') as grant_id,
        recurring_commit_id,
        period_start,
        subscription_id || ':' || cast(quantity as string) as source_id,
        customer_id,
        currency,
        seat_id,
        seat_group_values,
        cast(added_seats as bigint) as added_seats,
        held_from = first_held_from as is_first,
        amount,
        {{ seconds_of('period_start', 'period_end') }} as full_seconds,
        {{ seconds_of('seats_paid_from', 'paid_until') }} as paid_seconds,
        held_from as starting_at,
        access_end as ending_before
    from increases

)

select * from final
