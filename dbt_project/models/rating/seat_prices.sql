{{ config(materialized='view') }}

{#
  What a seat of each subscription product costs in the entitled windows of open periods;
  a tiered override has its multipliers by number of seats. A price that is not flat, or
  not in money, is no price of a seat: it has no amount, which a check forbids.
#}
with

windows as (

    select * from {{ ref('entitled_windows') }}
    where product_type = 'SUBSCRIPTION'

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

tiers as (

    select * from {{ ref('price_book_tiers') }}
    where tier_start = 0

),

bands as (

    select * from {{ ref('price_book_override_bands') }}

),

final as (

    select
        windows.period_id,
        windows.product_id,
        windows.rate_id,
        windows.override_id,
        rates.price_model,
        rates.starting_at as rate_starting_at,
        rates.ending_before as rate_ending_before,
        {{ to_quantity('coalesce(bands.band_start, 0)') }} as band_start,
        bands.band_end,
        case
            when rates.price_model = 'flat' and rates.pricing_unit_id is null
                then {{ multiply_unit_price(
                    'tiers.unit_price', 'coalesce(bands.multiplier, 1)'
                ) }}
        end as seat_price,
        windows.step_start as starting_at,
        windows.price_ending_before as ending_before
    from windows
    inner join rates
        on
            windows.price_book = rates.price_book
            and windows.rate_id = rates.rate_id
    inner join tiers
        on
            windows.price_book = tiers.price_book
            and windows.rate_id = tiers.rate_id
    left join bands
        on
            windows.price_book = bands.price_book
            and windows.override_id = bands.override_id

)

select * from final
