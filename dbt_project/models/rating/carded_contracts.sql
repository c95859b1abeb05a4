{{ config(materialized='view') }}

{# Contracts with their rate card: the one they name, or the one that their alias stood
   for when they started. #}
with

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

aliases as (

    select * from {{ ref('stg_catalog__rate_card_aliases') }}

),

final as (

    select
        contracts.contract_id,
        contracts.customer_id,
        coalesce(contracts.rate_card_id, aliases.rate_card_id) as rate_card_id,
        contracts.billing_profile_id,
        contracts.billing_day,
        contracts.late_usage_policy,
        contracts.net_payment_terms_days,
        contracts.grace_hours,
        contracts.starting_at,
        contracts.ending_before
    from contracts
    left join aliases
        on
            contracts.rate_card_alias = aliases.alias
            and {{ is_in_window('contracts.starting_at', 'aliases') }}

)

select * from final
