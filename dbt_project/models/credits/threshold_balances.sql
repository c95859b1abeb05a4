{{ config(materialized='view') }}

{# What contracts can spend whose balance is to be topped up, of thresholds and
   contracts that are active now. A contract without any grant has nothing to spend. #}
with

thresholds as (

    select * from {{ ref('stg_catalog__thresholds') }}

),

contracts as (

    select * from {{ ref('carded_contracts') }}

),

rate_cards as (

    select * from {{ ref('stg_catalog__rate_cards') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

contract_balances as (

    select * from {{ ref('contract_balances') }}

),

final as (

    select
        thresholds.threshold_id,
        thresholds.contract_id,
        contracts.customer_id,
        rate_cards.currency,
        currencies.minor_unit,
        {{ to_minor('thresholds.threshold_amount', 'currencies.minor_unit_factor') }}
            as threshold_minor,
        {{ to_minor('thresholds.recharge_to_amount', 'currencies.minor_unit_factor') }}
            as recharge_to_minor,
        coalesce(contract_balances.balance_minor, 0) as balance_minor,
        contracts.ending_before
    from thresholds
    inner join contracts
        on thresholds.contract_id = contracts.contract_id
    inner join rate_cards
        on contracts.rate_card_id = rate_cards.rate_card_id
    inner join currencies
        on rate_cards.currency = currencies.currency
    left join contract_balances
        on
            thresholds.contract_id = contract_balances.contract_id
            and rate_cards.currency = contract_balances.currency
    where
        {{ is_in_window(as_of(), 'thresholds') }}
        and {{ is_in_window(as_of(), 'contracts') }}

)

select * from final
