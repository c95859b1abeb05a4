{{ config(materialized='view') }}

{# What balances were topped up with: facts of the books, whatever the price book says
   of their thresholds by now. #}
with

recharges as (

    select * from {{ ref('stg_books__threshold_recharges') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

final as (

    select
        recharges.grant_id,
        'PREPAID_COMMIT' as grant_type,
        recharges.threshold_id,
        recharges.contract_id,
        recharges.customer_id,
        recharges.grant_name,
        recharges.currency,
        recharges.applicable_product_ids,
        cast(null as string) as applicable_product_tags,
        'NONE' as child_access,
        cast(null as string) as child_contract_ids,
        {{ from_minor('recharges.amount_minor', 'currencies.minor_unit') }} as amount,
        {{ from_minor('recharges.invoiced_minor', 'currencies.minor_unit') }}
            as invoice_amount,
        false as do_not_invoice,
        recharges.priority,
        recharges.starting_at,
        recharges.ending_before
    from recharges
    inner join currencies
        on recharges.currency = currencies.currency

)

select * from final
