{{ config(materialized='view') }}

{# Combinations of group values that need a price of a card: those that usage has, and
   none at all, because products without keys show a line without usage too. #}
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

final as (

    select
        price_book,
        rate_card_id,
        product_id,
        pricing_group_values
    from product_usage
    union
    select
        periods.price_book,
        periods.rate_card_id,
        contract_products.product_id,
        '{}' as pricing_group_values
    from contract_products
    inner join periods
        on contract_products.period_id = periods.period_id

)

select * from final
