{# The versions of the products that a contract period may bill. A table, so that usage
   meets each product that takes it directly: measured, a view makes the engine pair
   all usage of a period with all of its products first. #}
with

periods as (

    select * from {{ ref('billing_periods') }}

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
        products.metric_id,
        products.key_set,
        products.starting_at,
        products.ending_before
    from periods
    inner join contract_products
        on periods.period_id = contract_products.period_id
    inner join products
        on
            periods.price_book = products.price_book
            and contract_products.product_id = products.product_id
    where products.metric_id is not null

)

select * from final
