{{ config(materialized=deep_view()) }}

{#
  Every slice beside every step of its price. `priced` quantities are what prices
  multiply: the billable quantity itself, or whole packages of it.
#}
with

slices as (

    select * from {{ ref('billable_slices') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

steps as (

    select * from {{ ref('price_steps') }}

),

counted as (

    select
        slices.*,
        rates.price_model,
        rates.package_size,
        case
            when rates.package_size is null then slices.billable_before
            else {{ whole_packages(
                'slices.billable_before', 'rates.package_size', 'rates.package_rounding'
            ) }}
        end as priced_before,
        case
            when rates.package_size is null then slices.billable_after
            else {{ whole_packages(
                'slices.billable_after', 'rates.package_size', 'rates.package_rounding'
            ) }}
        end as priced_after
    from slices
    inner join rates
        on
            slices.price_book = rates.price_book
            and slices.rate_id = rates.rate_id

),

final as (

    select
        counted.slice_id,
        counted.line_id,
        counted.period_id,
        counted.rate_id,
        counted.override_id,
        counted.price_model,
        counted.slice_number,
        steps.tier_start,
        steps.tier_end,
        case
            when counted.event_amount is not null
                then cast(0 as {{ unit_price_type() }})
            when counted.event_price is not null
                then {{ multiply_unit_price(
                    'counted.event_price', 'steps.multiplier'
                ) }}
            -- Without usage there is no event that could hold the price.
            when counted.event_id = ''
                then cast(coalesce(steps.unit_price, 0) as {{ unit_price_type() }})
            else steps.unit_price
        end as unit_price,
        steps.flat_amount,
        counted.free_quantity,
        counted.billable_before,
        counted.billable_after,
        counted.priced_before,
        counted.priced_after,
        case
            when counted.package_size is null then steps.tier_start
            else {{ whole_packages(
                'steps.tier_start', 'counted.package_size', "'up'"
            ) }}
        end as priced_start,
        case
            when counted.package_size is null then steps.tier_end
            else {{ whole_packages(
                'steps.tier_end', 'counted.package_size', "'up'"
            ) }}
        end as priced_end,
        {{ is_in_tier('counted.billable_total') }} as holds_line_quantity
    from counted
    inner join steps
        on
            counted.price_book = steps.price_book
            and counted.rate_id = steps.rate_id
            and coalesce(counted.override_id, '') = coalesce(steps.override_id, '')

)

select * from final
