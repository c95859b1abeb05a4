{{ config(tags=['reader']) }}

{# How long each wallet lasts at its burn rates. What starts later is shown beside and
   does not prolong it. #}
with

balances as (

    select * from {{ ref('credit_balances') }}
    where grant_type <> 'POSTPAID_COMMIT'

),

burn_rates as (

    select * from {{ ref('wallet_burn_rates') }}

),

runways as (

    select * from {{ ref('wallet_runways') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

wallets as (

    select
        customer_id,
        currency,
        pricing_unit_id,
        sum(
            case when segment_status = 'active' then balance_minor else 0 end
        ) as balance_minor,
        sum(
            case
                when segment_status = 'future' then amount_minor + balance_minor
                else 0
            end
        ) as upcoming_minor,
        min(
            case
                when segment_status = 'active' and balance_minor > 0 then ending_before
            end
        ) as next_expiry_at
    from balances
    group by 1, 2, 3

),

final as (

    select
        wallets.customer_id,
        wallets.currency,
        wallets.pricing_unit_id,
        {{ smallest_unit('wallets', 'currencies', 'pricing_units') }} as minor_unit,
        cast(greatest(wallets.balance_minor, 0) as bigint) as balance_minor,
        cast(wallets.upcoming_minor as bigint) as upcoming_minor,
        wallets.next_expiry_at,
        burned_7.burned_minor as burned_7_days_minor,
        burned_30.burned_minor as burned_30_days_minor,
        burned_7.daily_burn_minor as daily_burn_7_minor,
        burned_30.daily_burn_minor as daily_burn_30_minor,
        runway_7.ends_at as ends_at_7,
        case
            when runway_7.ends_at is null then null
            when runway_7.expires then 'expires'
            else 'runs_dry'
        end as ends_by_7,
        runway_30.ends_at as ends_at_30,
        case
            when runway_30.ends_at is null then null
            when runway_30.expires then 'expires'
            else 'runs_dry'
        end as ends_by_30
    from wallets
    inner join currencies
        on wallets.currency = currencies.currency
    left join pricing_units
        on wallets.pricing_unit_id = pricing_units.pricing_unit_id
    {% for days in [7, 30] -%}
    inner join burn_rates as burned_{{ days }}
        on
            wallets.customer_id = burned_{{ days }}.customer_id
            and {{ is_same_unit('wallets', 'burned_' ~ days) }}
            and burned_{{ days }}.window_days = {{ days }}
    left join runways as runway_{{ days }}
        on
            wallets.customer_id = runway_{{ days }}.customer_id
            and {{ is_same_unit('wallets', 'runway_' ~ days) }}
            and runway_{{ days }}.window_days = {{ days }}
    {% endfor %}
)

select * from final
