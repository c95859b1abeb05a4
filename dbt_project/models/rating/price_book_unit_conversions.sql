{# What a pricing unit is worth in the currency of each card, today and as each close
   froze it. A conversion holds until the next one. #}
{{ config(materialized='view') }}

with

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

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
        current_conversions.rate_card_id,
        current_conversions.pricing_unit_id,
        current_conversions.amount_per_unit,
        pricing_units.decimal_places,
        current_conversions.starting_at,
        lead(current_conversions.starting_at) over (
            partition by
                current_conversions.rate_card_id, current_conversions.pricing_unit_id
            order by current_conversions.starting_at
        ) as ending_before
    from current_conversions
    inner join pricing_units
        on current_conversions.pricing_unit_id = pricing_units.pricing_unit_id
    union all
    select
        catalog_hash as price_book,
        rate_card_id,
        pricing_unit_id,
        amount_per_unit,
        -- What was frozen before units had decimal places was exact.
        coalesce(decimal_places, 12) as decimal_places,
        starting_at,
        ending_before
    from frozen_conversions

)

select * from final
