{{ config(materialized='view') }}

{# The steps of every price as it is charged: those of the rates, and for each rate that
   an override multiplies, its steps cut at the override's bands. A flat amount stays
   with the step's beginning. #}
with

tiers as (

    select * from {{ ref('price_book_tiers') }}

),

bands as (

    select * from {{ ref('price_book_override_bands') }}

),

multiplied as (

    select distinct
        price_book,
        rate_id,
        override_id
    from {{ ref('cut_usage') }}
    where override_id is not null
    union
    select
        price_book,
        rate_id,
        override_id
    from {{ ref('unused_products') }}
    where override_id is not null

),

final as (

    select
        price_book,
        rate_id,
        cast(null as string) as override_id,
        tier_start,
        tier_end,
        unit_price,
        flat_amount,
        cast(1 as {{ unit_price_type() }}) as multiplier
    from tiers
    union all
    select
        tiers.price_book,
        tiers.rate_id,
        multiplied.override_id,
        greatest(tiers.tier_start, coalesce(bands.band_start, 0)) as tier_start,
        case
            when tiers.tier_end is null or bands.band_end is null
                then coalesce(tiers.tier_end, bands.band_end)
            else least(tiers.tier_end, bands.band_end)
        end as tier_end,
        {{ multiply_unit_price('tiers.unit_price', 'coalesce(bands.multiplier, 1)') }}
            as unit_price,
        case
            when bands.band_start is null then tiers.flat_amount
            when tiers.tier_start >= bands.band_start
                then {{ multiply_amount('tiers.flat_amount', 'bands.multiplier') }}
            else {{ to_amount(0) }}
        end as flat_amount,
        cast(coalesce(bands.multiplier, 1) as {{ unit_price_type() }}) as multiplier
    from multiplied
    inner join tiers
        on
            multiplied.price_book = tiers.price_book
            and multiplied.rate_id = tiers.rate_id
    left join bands
        on
            multiplied.price_book = bands.price_book
            and multiplied.override_id = bands.override_id
    where
        bands.override_id is null
        or (
            tiers.tier_start < coalesce(bands.band_end, tiers.tier_start + 1)
            and bands.band_start < coalesce(tiers.tier_end, bands.band_start + 1)
        )

)

select * from final
