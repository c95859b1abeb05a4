{{ config(materialized=deep_view()) }}

{# The products that a contract period may bill: those of its card, and those that an
   overwrite of the contract gives a price of their own. #}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

overrides as (

    select * from {{ ref('price_book_overrides') }}
    where override_type = 'overwrite'

),

specifiers as (

    select * from {{ ref('price_book_override_specifiers') }}

),

card_products as (

    select distinct
        price_book,
        rate_card_id,
        product_id
    from rates

),

final as (

    select
        periods.period_id,
        card_products.product_id
    from periods
    inner join card_products
        on
            periods.price_book = card_products.price_book
            and periods.rate_card_id = card_products.rate_card_id
    union
    select
        periods.period_id,
        specifiers.product_id
    from periods
    inner join overrides
        on
            periods.price_book = overrides.price_book
            and periods.contract_id = overrides.contract_id
    inner join specifiers
        on
            overrides.price_book = specifiers.price_book
            and overrides.override_id = specifiers.override_id
    where specifiers.product_id is not null

)

select * from final
