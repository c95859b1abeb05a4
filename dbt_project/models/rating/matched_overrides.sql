{{ config(materialized='view') }}

{# The overrides of a contract that are for a combination of product and group values,
   within the window of the product's version whose tags they ask for. #}
with

product_usage as (

    select * from {{ ref('product_usage') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

contract_products as (

    select * from {{ ref('contract_products') }}

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

combinations as (

    select
        price_book,
        contract_id,
        product_id,
        pricing_group_values,
        presentation_group_values
    from product_usage
    where contract_id in (select overrides.contract_id from overrides)
    union
    -- Products without keys show a line without usage too.
    select
        periods.price_book,
        periods.contract_id,
        contract_products.product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values
    from contract_products
    inner join periods
        on contract_products.period_id = periods.period_id
    where periods.contract_id in (select overrides.contract_id from overrides)

),

final as (

    select distinct
        combinations.*,
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

)

select * from final
where ending_before is null or starting_at < ending_before
