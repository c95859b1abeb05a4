{# What multiplies the card's prices: one band from zero for a multiplier, the bands of
   quantity of a tiered override; the last band has no end. #}
{{ config(materialized='view') }}

with

overrides as (

    select * from {{ ref('stg_catalog__overrides') }}

),

override_tiers as (

    select * from {{ ref('stg_catalog__override_tiers') }}

),

frozen_bands as (

    select distinct
        {{ frozen_columns('frozen_override_bands') }}
    from {{ ref('stg_books__frozen_override_bands') }}

),

final as (

    select
        'current' as price_book,
        override_id,
        {{ to_quantity(0) }} as band_start,
        {{ to_quantity('null') }} as band_end,
        multiplier
    from overrides
    where override_type = 'multiplier'
    union all
    select
        'current' as price_book,
        override_tiers.override_id,
        {{ to_quantity('override_tiers.tier_start') }} as band_start,
        {{ step_end(
            'override_tiers.tier_start', 'override_tiers.tier_end',
            'override_tiers.override_id'
        ) }} as band_end,
        override_tiers.multiplier
    from override_tiers
    inner join overrides
        on override_tiers.override_id = overrides.override_id
    where overrides.override_type = 'tiered'
    union all
    select
        catalog_hash as price_book,
        override_id,
        band_start,
        band_end,
        multiplier
    from frozen_bands

)

select * from final
