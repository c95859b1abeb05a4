{# Today's rates, and the rates of each close as they were frozen then. #}
{{ config(materialized='view') }}

with

current_rates as (

    select * from {{ ref('stg_catalog__rates') }}

),

frozen_rates as (

    select distinct
        catalog_hash,
        rate_id,
        rate_card_id,
        product_id,
        price_model,
        package_size,
        package_rounding,
        pricing_group_values,
        is_entitled,
        starting_at,
        ending_before
    from {{ ref('stg_books__frozen_rates') }}

),

final as (

    select
        'current' as price_book,
        rate_id,
        rate_card_id,
        product_id,
        price_model,
        package_size,
        package_rounding,
        pricing_group_values,
        is_entitled,
        starting_at,
        ending_before
    from current_rates
    union all
    select
        catalog_hash as price_book,
        rate_id,
        rate_card_id,
        product_id,
        price_model,
        package_size,
        package_rounding,
        pricing_group_values,
        is_entitled,
        starting_at,
        ending_before
    from frozen_rates

)

select * from final
