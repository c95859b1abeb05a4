{# Products as they are sold: each version today, and as a close froze it. A conversion
   is one exact fraction, so that only its result is rounded. #}
{{ config(materialized=deep_view()) }}

with

current_products as (

    select * from {{ ref('stg_catalog__products') }}

),

frozen_products as (

    select distinct
        {{ frozen_columns('frozen_products') }}
    from {{ ref('stg_books__frozen_products') }}

),

products as (

    select
        'current' as price_book,
        {{ frozen_columns('frozen_products', hashed=false) }}
    from current_products
    union all
    select
        catalog_hash as price_book,
        {{ frozen_columns('frozen_products', hashed=false) }}
    from frozen_products

),

final as (

    select
        products.*,
        case products.quantity_conversion
            when 'multiply' then {{ decimal_numerator('products.conversion_factor') }}
            when 'divide' then {{ decimal_denominator('products.conversion_factor') }}
            else 1
        end as conversion_numerator,
        case products.quantity_conversion
            when 'multiply' then {{ decimal_denominator('products.conversion_factor') }}
            when 'divide' then {{ decimal_numerator('products.conversion_factor') }}
            else 1
        end as conversion_denominator,
        {{ units_of_place('products.rounding_places') }} as rounding_units
    from products

)

select * from final
