{# Today's discounts, and those of each close as they were frozen then. #}
{{ config(materialized='view') }}

with

current_discounts as (

    select * from {{ ref('stg_catalog__discounts') }}

),

frozen_discounts as (

    select distinct
        {{ frozen_columns('frozen_discounts') }}
    from {{ ref('stg_books__frozen_discounts') }}

),

final as (

    select
        'current' as price_book,
        {{ frozen_columns('frozen_discounts', hashed=false) }}
    from current_discounts
    union all
    select
        catalog_hash as price_book,
        {{ frozen_columns('frozen_discounts', hashed=false) }}
    from frozen_discounts

)

select * from final
