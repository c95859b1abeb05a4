{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'credit_runway'}},
        'description': 'A wallet with an active balance has one runway, with that balance.',
    },
) }}

{# Whoever tops up wallets by the forecast never hears of one that is missing, and hears
   too late of one that shows more than is left. #}
with

balances as (

    select * from {{ ref('credit_balances') }}
    where segment_status = 'active'

),

runways as (

    select * from {{ ref('credit_runway') }}

),

active as (

    select
        customer_id,
        currency,
        sum(balance_minor) as balance_minor
    from balances
    group by 1, 2

),

forecast as (

    select
        customer_id,
        currency,
        count(*) as runway_count,
        sum(balance_minor) as runway_minor
    from runways
    group by 1, 2

),

final as (

    select
        coalesce(active.customer_id, forecast.customer_id) as customer_id,
        coalesce(active.currency, forecast.currency) as currency,
        active.balance_minor,
        forecast.runway_minor,
        forecast.runway_count
    from active
    full outer join forecast
        on
            active.customer_id = forecast.customer_id
            and active.currency = forecast.currency
    where
        coalesce(forecast.runway_count, 0) <> 1
        or forecast.runway_minor <> coalesce(active.balance_minor, 0)

)

select * from final
