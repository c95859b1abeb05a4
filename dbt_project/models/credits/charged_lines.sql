{{ config(materialized='view') }}

{# Where each line that a wallet may pay starts, and its dearest unit price. A line
   starts where the first price that it is used at does; a composite where its share
   does, a subscription with its period or in it. #}
with

charges as (

    select * from {{ ref('open_charges') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

applied_rates as (

    select * from {{ ref('applied_rates') }}
    where rating_basis = 'open'

),

composites as (

    select * from {{ ref('composite_charges') }}
    where rating_basis = 'open'

),

subscriptions as (

    select * from {{ ref('subscription_charges') }}
    where rating_basis = 'open'

),

line_prices as (

    select
        line_id,
        max(unit_price) as line_unit_price
    from charges
    group by 1

),

line_starts as (

    select
        applied_rates.line_id,
        min(greatest(applied_rates.rate_starting_at, periods.period_start))
            as line_start
    from applied_rates
    inner join periods
        on applied_rates.period_id = periods.period_id
    group by 1
    union all
    select
        line_id,
        share_starting_at as line_start
    from composites
    union all
    select
        line_id,
        starting_at as line_start
    from subscriptions

),

final as (

    select
        line_prices.line_id,
        line_prices.line_unit_price,
        line_starts.line_start
    from line_prices
    inner join line_starts
        on line_prices.line_id = line_starts.line_id

)

select * from final
