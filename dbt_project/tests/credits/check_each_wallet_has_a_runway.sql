{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'credit_runway'}},
        'description': 'Each wallet has one runway, with what its grants have left today.',
    },
) }}

{# Whoever tops up wallets by the forecast never hears of one that is missing, and hears
   too late of one that shows more than is left. #}
with

balances as (

    select * from {{ ref('credit_balances') }}
    where grant_type <> 'POSTPAID_COMMIT'

),

runways as (

    select * from {{ ref('credit_runway') }}

),

wallets as (

    select
        customer_id,
        currency,
        pricing_unit_id,
        sum(
            case
                when
                    starting_at <= {{ as_of() }}
                    and {{ endless('ending_before') }} > {{ as_of() }}
                    then balance_minor
                else 0
            end
        ) as balance_minor
    from balances
    group by 1, 2, 3

),

forecast as (

    select
        customer_id,
        currency,
        pricing_unit_id,
        count(*) as runway_count,
        sum(balance_minor) as runway_minor
    from runways
    group by 1, 2, 3

),

final as (

    select
        coalesce(wallets.customer_id, forecast.customer_id) as customer_id,
        coalesce(wallets.currency, forecast.currency) as currency,
        coalesce(wallets.pricing_unit_id, forecast.pricing_unit_id) as pricing_unit_id,
        wallets.balance_minor,
        forecast.runway_minor,
        forecast.runway_count
    from wallets
    full outer join forecast
        on
            wallets.customer_id = forecast.customer_id
            and {{ is_same_unit('wallets', 'forecast') }}
    where
        wallets.customer_id is null
        or coalesce(forecast.runway_count, 0) <> 1
        or forecast.runway_minor <> greatest(wallets.balance_minor, 0)

)

select * from final
