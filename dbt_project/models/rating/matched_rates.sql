{{ config(materialized=deep_view()) }}

{# The rates of a card that are for a combination of group values: all the values that a
   rate names are the combination's own; and one row without a rate for each combination,
   so that its time is whole. #}
with

combinations as (

    select * from {{ ref('rate_combinations') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}
    where rate_card_id is not null

),

named_keys as (

    select distinct
        price_book,
        rate_card_id,
        product_id,
        priced_keys
    from rates

),

projected as (

    select
        combinations.*,
        named_keys.priced_keys,
        {{ json_subset(
            'combinations.pricing_group_values', 'named_keys.priced_keys'
        ) }} as rate_group_values
    from combinations
    inner join named_keys
        on
            combinations.price_book = named_keys.price_book
            and combinations.rate_card_id = named_keys.rate_card_id
            and combinations.product_id = named_keys.product_id

),

final as (

    select
        price_book,
        rate_card_id,
        product_id,
        pricing_group_values,
        cast(null as string) as rate_id,
        cast(null as boolean) as is_entitled,
        cast(null as integer) as values_named,
        cast(null as timestamp) as starting_at,
        cast(null as timestamp) as ending_before
    from combinations
    union all
    select
        projected.price_book,
        projected.rate_card_id,
        projected.product_id,
        projected.pricing_group_values,
        rates.rate_id,
        rates.is_entitled,
        case
            when rates.priced_keys = '' then 0
            else {{ list_size('rates.priced_keys') }}
        end as values_named,
        rates.starting_at,
        rates.ending_before
    from projected
    inner join rates
        on
            projected.price_book = rates.price_book
            and projected.rate_card_id = rates.rate_card_id
            and projected.product_id = rates.product_id
            and projected.priced_keys = rates.priced_keys
            and projected.rate_group_values = rates.pricing_group_values

)

select * from final
