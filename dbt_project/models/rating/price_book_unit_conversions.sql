{# What a pricing unit is worth in the currency of each card, today and as each close
   froze it. A conversion holds until the next one. #}
{{ config(materialized='view') }}

with

current_conversions as (

    select * from {{ ref('stg_catalog__pricing_unit_conversions') }}

),

frozen_conversions as (

    select distinct
        {{ frozen_columns('frozen_pricing_unit_conversions') }}
    from {{ ref('stg_books__frozen_pricing_unit_conversions') }}

),

final as (

    select
        'current' as price_book,
        rate_card_id,
        pricing_unit_id,
        amount_per_unit,
        starting_at,
        lead(starting_at) over (
            partition by rate_card_id, pricing_unit_id order by starting_at
        ) as ending_before
    from current_conversions
    union all
    select
        catalog_hash as price_book,
        rate_card_id,
        pricing_unit_id,
        amount_per_unit,
        starting_at,
        ending_before
    from frozen_conversions

)

select * from final
