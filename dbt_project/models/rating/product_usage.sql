{{ config(materialized=deep_view()) }}

{# Usage of a period beside each product that may bill it: the version of the product in
   force in that hour says which metric and which keys it is billed by. #}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

usage_by_period as (

    select * from {{ ref('usage_by_period') }}

),

contract_products as (

    select * from {{ ref('contract_products') }}

),

products as (

    select * from {{ ref('price_book_products') }}

),

final as (

    select
        periods.period_id,
        periods.invoice_id,
        periods.contract_id,
        periods.customer_id,
        periods.rate_card_id,
        periods.rating_basis,
        periods.price_book,
        periods.currency,
        products.product_id,
        usage_by_period.metric_id,
        usage_by_period.key_set,
        usage_by_period.pricing_group_values,
        usage_by_period.presentation_group_values,
        usage_by_period.quantity,
        usage_by_period.usage_hour,
        usage_by_period.usage_source,
        products.starting_at as product_starting_at,
        products.ending_before as product_ending_before
    from usage_by_period
    inner join periods
        on usage_by_period.period_id = periods.period_id
    inner join contract_products
        on periods.period_id = contract_products.period_id
    inner join products
        on
            periods.price_book = products.price_book
            and contract_products.product_id = products.product_id
            and usage_by_period.metric_id = products.metric_id
            and usage_by_period.key_set = products.key_set
            and usage_by_period.usage_hour >= products.starting_at
            and (
                products.ending_before is null
                or usage_by_period.usage_hour < products.ending_before
            )

)

select * from final
