{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'cut_usage'}},
        'description': 'Every event of a dynamic price carries a price or an amount, or the rate has a default.',
    },
) }}

{# An event without a price would be given away. Its remedy: send the property as plain
   decimal text, or give the rate a unit_price for events without one. #}
with

pieces as (

    select * from {{ ref('cut_usage') }}

),

final as (

    select
        pieces.event_id,
        pieces.product_id,
        pieces.rate_id,
        rates.price_property,
        rates.amount_property
    from pieces
    inner join {{ ref('price_book_rates') }} as rates
        on
            pieces.price_book = rates.price_book
            and pieces.rate_id = rates.rate_id
    inner join {{ ref('price_book_tiers') }} as tiers
        on
            pieces.price_book = tiers.price_book
            and pieces.rate_id = tiers.rate_id
    where
        rates.price_model = 'dynamic'
        and pieces.event_price is null
        and pieces.event_amount is null
        and tiers.unit_price is null

)

select * from final
