{{ config(materialized='view') }}

{# The price steps of what grants pay: an overwrite's own, or those of the card's commit
   or list price, multiplied. #}
with

prices as (

    select distinct
        price_id,
        card_rate_id,
        price_target,
        override_id,
        override_type,
        coalesce(multiplier, 1) as multiplier
    from {{ ref('grant_prices') }}

),

list_steps as (

    select * from {{ ref('price_book_tiers') }}
    where price_book = 'current'

),

commit_steps as (

    select * from {{ ref('commit_price_steps') }}

),

final as (

    select
        prices.price_id,
        list_steps.tier_start,
        list_steps.tier_end,
        list_steps.unit_price
    from prices
    inner join list_steps
        on prices.override_id = list_steps.rate_id
    where prices.override_type = 'overwrite'
    union all
    {% for target, steps in [
        ('LIST_RATE', 'list_steps'), ('COMMIT_RATE', 'commit_steps'),
    ] -%}
    select
        prices.price_id,
        {{ steps }}.tier_start,
        {{ steps }}.tier_end,
        {{ multiply_unit_price(steps ~ '.unit_price', 'prices.multiplier') }}
            as unit_price
    from prices
    inner join {{ steps }}
        on prices.card_rate_id = {{ steps }}.rate_id
    where
        prices.price_target = '{{ target }}'
        and coalesce(prices.override_type, 'multiplier') <> 'overwrite'
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor %}
)

select * from final
