{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'rated_usage'}},
        'description': 'Quantities, prices and amounts are never NULL.',
    },
) }}

{# A NULL drops out of every sum: usage without an amount is given away silently. #}
with

metered as (

    select
        customer_id || ' ' || metric_id as row_of,
        'metered_usage' as table_name
    from {{ ref('metered_usage') }}
    where quantity is null

),

rated as (

    select
        slice_id as row_of,
        'rated_usage' as table_name
    from {{ ref('rated_usage') }}
    where
        quantity is null
        or unit_price is null
        or amount is null
        or amount_minor is null

),

{# A pricing unit without a conversion on the card at the end of the period. #}
converted as (

    select
        line_id as row_of,
        'unit_conversion_charges' as table_name
    from {{ ref('unit_conversion_charges') }}
    where amount is null

),

{# A rate without a price step prices nothing. #}
priced as (

    select
        rates.rate_id as row_of,
        'price_book_rates without a price step' as table_name
    from {{ ref('price_book_rates') }} as rates
    left join {{ ref('price_book_tiers') }} as tiers
        on
            rates.price_book = tiers.price_book
            and rates.rate_id = tiers.rate_id
    where
        tiers.rate_id is null
        -- A dynamic price without a default is in its events.
        or (tiers.unit_price is null and rates.price_model <> 'dynamic')

),

{# A price of seats that is not flat, or is in a pricing unit. #}
subscribed as (

    select
        line_id as row_of,
        'subscription_charges' as table_name
    from {{ ref('subscription_charges') }}
    where amount is null

),

final as (

    select * from metered
    union all
    select * from rated
    union all
    select * from converted
    union all
    select * from priced
    union all
    select * from subscribed

)

select * from final
