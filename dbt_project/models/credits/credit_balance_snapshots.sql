{{ config(tags=['reader']) }}

{# Balance of each grant at the end of each day of its access window up to this run,
   with usage counted on the day it happened. #}
with

grants as (

    select * from {{ ref('credit_grants') }}
    where starting_at <= {{ as_of() }}

),

daily_movements as (

    select * from {{ ref('daily_credit_movements') }}

),

days as (

    select
        grants.segment_id,
        grants.grant_id,
        grants.customer_id,
        grants.currency,
        grants.minor_unit,
        {{ add_days('cast(grants.starting_at as date)', 'series.day_number') }}
            as snapshot_date
    from grants
    -- 3,660 days: a segment longer than ten years shows its first ten.
    inner join range(0, 3660) as series (day_number)
        on
            {{ add_days('cast(grants.starting_at as date)', 'series.day_number') }}
            <= cast(least(
                {{ as_of() }}, coalesce(grants.ending_before, {{ as_of() }})
            ) as date)

),

final as (

    select
        days.snapshot_date,
        days.segment_id,
        days.grant_id,
        days.customer_id,
        days.currency,
        cast(coalesce(daily_movements.amount_minor, 0) as bigint) as change_minor,
        cast(
            sum(coalesce(daily_movements.amount_minor, 0)) over (
                partition by days.segment_id
                order by days.snapshot_date
                rows between unbounded preceding and current row
            ) as bigint
        ) as balance_minor,
        {{ from_minor(
            'cast(sum(coalesce(daily_movements.amount_minor, 0)) over ('
            ~ 'partition by days.segment_id order by days.snapshot_date '
            ~ 'rows between unbounded preceding and current row) as bigint)',
            'days.minor_unit'
        ) }} as balance
    from days
    left join daily_movements
        on
            days.segment_id = daily_movements.segment_id
            and days.snapshot_date = daily_movements.movement_date

)

select * from final
