{{ config(materialized=deep_view()) }}

{# The overrides of a contract that are for a combination of product and group values,
   within the window of the product's version whose tags they ask for. #}
with

combinations as (

    select * from {{ ref('override_combinations') }}

),

products as (

    select * from {{ ref('price_book_products') }}

),

overrides as (

    select * from {{ ref('price_book_overrides') }}

),

specifiers as (

    select * from {{ ref('price_book_override_specifiers') }}

),

matched as (

    select distinct
        combinations.price_book,
        combinations.contract_id,
        combinations.product_id,
        combinations.pricing_group_values,
        combinations.presentation_group_values,
        overrides.override_id,
        overrides.override_type,
        overrides.choice_rank,
        overrides.is_entitled,
        overrides.added_at,
        greatest(overrides.starting_at, products.starting_at) as starting_at,
        {{ earlier_end('overrides.ending_before', 'products.ending_before') }}
            as ending_before
    from combinations
    inner join overrides
        on
            combinations.price_book = overrides.price_book
            and combinations.contract_id = overrides.contract_id
    inner join specifiers
        on
            overrides.price_book = specifiers.price_book
            and overrides.override_id = specifiers.override_id
            and (
                specifiers.product_id is null
                or combinations.product_id = specifiers.product_id
            )
            and {{ json_subset(
                'combinations.pricing_group_values',
                json_key_list('specifiers.pricing_group_values')
            ) }} = specifiers.pricing_group_values
            and {{ json_subset(
                'combinations.presentation_group_values',
                json_key_list('specifiers.presentation_group_values')
            ) }} = specifiers.presentation_group_values
    inner join products
        on
            combinations.price_book = products.price_book
            and combinations.product_id = products.product_id
            and (
                specifiers.product_tags is null
                or {{ list_has_all('products.tags', 'specifiers.product_tags') }}
            )

),

final as (

    select * from matched
    where ending_before is null or starting_at < ending_before

)

select * from final
