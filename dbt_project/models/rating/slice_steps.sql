{{ config(materialized='view') }}

{#
  Every slice beside every price step of its rate. `priced` quantities are what prices
  multiply: the quantity itself, or whole packages of it.
#}
with

slices as (

    select * from {{ ref('usage_slices') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

tiers as (

    select * from {{ ref('price_book_tiers') }}

),

counted as (

    select
        slices.*,
        rates.price_book,
        rates.price_model,
        rates.package_size,
        case
            when rates.package_size is null then slices.quantity_before
            else {{ whole_packages(
                'slices.quantity_before', 'rates.package_size', 'rates.package_rounding'
            ) }}
        end as priced_before,
        case
            when rates.package_size is null then slices.quantity_after
            else {{ whole_packages(
                'slices.quantity_after', 'rates.package_size', 'rates.package_rounding'
            ) }}
        end as priced_after
    from slices
    inner join periods
        on slices.period_id = periods.period_id
    inner join rates
        on
            periods.price_book = rates.price_book
            and slices.rate_id = rates.rate_id

),

final as (

    select
        counted.slice_id,
        counted.line_id,
        counted.period_id,
        counted.rate_id,
        counted.price_model,
        counted.slice_number,
        tiers.tier_start,
        tiers.tier_end,
        tiers.unit_price,
        tiers.flat_amount,
        counted.quantity_before,
        counted.quantity_after,
        counted.priced_before,
        counted.priced_after,
        case
            when counted.package_size is null then tiers.tier_start
            else {{ whole_packages(
                'tiers.tier_start', 'counted.package_size', "'up'"
            ) }}
        end as priced_start,
        case
            when counted.package_size is null then tiers.tier_end
            else {{ whole_packages(
                'tiers.tier_end', 'counted.package_size', "'up'"
            ) }}
        end as priced_end,
        {{ is_in_tier('counted.line_quantity') }} as holds_line_quantity
    from counted
    inner join tiers
        on
            counted.price_book = tiers.price_book
            and counted.rate_id = tiers.rate_id

)

select * from final
