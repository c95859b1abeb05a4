{{ config(materialized='view') }}

{# Which rates of every price book are for which group values of usage: all the values
   that a rate names are the usage's own. Values are compared once, not hour by hour. #}
with

metered_usage as (

    select * from {{ ref('metered_usage') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

used as (

    select distinct pricing_group_values as usage_group_values
    from metered_usage

),

named_keys as (

    select distinct priced_keys
    from rates

),

projected as (

    select
        used.usage_group_values,
        named_keys.priced_keys,
        {{ json_subset('used.usage_group_values', 'named_keys.priced_keys') }}
            as rate_group_values
    from used
    cross join named_keys

),

final as (

    select
        rates.price_book,
        rates.rate_card_id,
        rates.product_id,
        rates.rate_id,
        rates.priced_keys,
        rates.is_entitled,
        projected.usage_group_values,
        rates.starting_at,
        rates.ending_before
    from projected
    inner join rates
        on
            projected.priced_keys = rates.priced_keys
            and projected.rate_group_values = rates.pricing_group_values

)

select * from final
