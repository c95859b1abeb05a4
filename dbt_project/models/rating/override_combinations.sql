{{ config(materialized='view') }}

{# Combinations of product and group values of the contracts that have overrides: those
   that usage has, and none at all, because products without keys show a line without
   usage too. #}
with

product_usage as (

    select * from {{ ref('product_usage') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

contract_products as (

    select * from {{ ref('contract_products') }}

),

overrides as (

    select * from {{ ref('price_book_overrides') }}

),

final as (

    select
        price_book,
        contract_id,
        product_id,
        pricing_group_values,
        presentation_group_values
    from product_usage
    where contract_id in (select overrides.contract_id from overrides)
    union
    select
        periods.price_book,
        periods.contract_id,
        contract_products.product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values
    from contract_products
    inner join periods
        on contract_products.period_id = periods.period_id
    where periods.contract_id in (select overrides.contract_id from overrides)

)

select * from final
