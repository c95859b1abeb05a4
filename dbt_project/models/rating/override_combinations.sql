{# Combinations of product and group values of the contracts that have overrides: those
   that usage of the product's metric has, and none at all, because products without keys
   show a line without usage too. #}
with

usage_by_period as (

    select * from {{ ref('usage_by_period') }}

),

overrides as (

    select * from {{ ref('price_book_overrides') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where contract_id in (select overrides.contract_id from overrides)

),

contract_products as (

    select * from {{ ref('contract_products') }}

),

products as (

    select * from {{ ref('price_book_products') }}

),

used as (

    select distinct
        periods.price_book,
        periods.contract_id,
        usage_by_period.metric_id,
        usage_by_period.key_set,
        usage_by_period.pricing_group_values,
        usage_by_period.presentation_group_values
    from usage_by_period
    inner join periods
        on usage_by_period.period_id = periods.period_id

),

final as (

    select
        used.price_book,
        used.contract_id,
        products.product_id,
        used.pricing_group_values,
        used.presentation_group_values
    from used
    inner join products
        on
            used.price_book = products.price_book
            and used.metric_id = products.metric_id
            and used.key_set = products.key_set
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

)

select * from final
