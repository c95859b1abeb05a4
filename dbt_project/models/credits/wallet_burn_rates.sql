{{ config(materialized=deep_view(), tags=['reader']) }}

{# What each wallet burned in the whole days before this run, and the average of a day.
   Whole days, because usage is drawn by the day: a window that cut a day would count it
   whole or not at all. #}
{%- set today = 'cast(' ~ as_of() ~ ' as date)' %}
with

balances as (

    select * from {{ ref('credit_balances') }}
    where grant_type <> 'POSTPAID_COMMIT'

),

daily_movements as (

    select * from {{ ref('daily_credit_movements') }}
    where movement_date < {{ today }}

),

series as (

    select 7 as window_days
    union all
    select 30 as window_days

),

wallets as (

    select
        balances.customer_id,
        balances.currency,
        balances.pricing_unit_id,
        cast(series.window_days as bigint) as window_days,
        {{ add_days(today, '-series.window_days') }} as first_day,
        coalesce(
            min(
                case
                    when balances.segment_status <> 'future' then balances.starting_at
                end
            ),
            {{ as_of() }}
        ) as first_started_at
    from balances
    cross join series
    group by 1, 2, 3, 4, 5

),

burned as (

    select
        wallets.customer_id,
        wallets.currency,
        wallets.pricing_unit_id,
        wallets.window_days,
        cast(coalesce(sum(daily_movements.drawn_minor), 0) as bigint) as burned_minor
    from wallets
    inner join balances
        on
            wallets.customer_id = balances.customer_id
            and {{ is_same_unit('wallets', 'balances') }}
    left join daily_movements
        on
            balances.segment_id = daily_movements.segment_id
            and wallets.first_day <= daily_movements.movement_date
    group by 1, 2, 3, 4

),

timed as (

    select
        burned.*,
        -- Less than the window for a younger wallet, 0 for one of today.
        greatest({{ integer_divide(
            '(' ~ epoch_micros('cast(' ~ today ~ ' as timestamp)') ~ ' - greatest('
            ~ epoch_micros('wallets.first_started_at') ~ ', '
            ~ epoch_micros('cast(wallets.first_day as timestamp)') ~ '))',
            1000000
        ) }}, 0) as window_seconds
    from burned
    inner join wallets
        on
            burned.customer_id = wallets.customer_id
            and {{ is_same_unit('burned', 'wallets') }}
            and burned.window_days = wallets.window_days

),

final as (

    select
        *,
        case
            when window_seconds = 0 then {{ to_amount('0') }}
            else {{ amount_a_day('burned_minor', 'window_seconds') }}
        end as daily_burn_minor
    from timed

)

select * from final
