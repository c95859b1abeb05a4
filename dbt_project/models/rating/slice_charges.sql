{{ config(materialized='view') }}

{# The exact charges of a slice: what its price says, and what discounts and maximums
   take of that, each of quantity 0 and without a unit price. #}
with

rated_tiers as (

    select * from {{ ref('rated_tiers') }}

),

slice_reductions as (

    select * from {{ ref('slice_reductions') }}

),

final as (

    select
        slice_id,
        line_id,
        period_id,
        rate_id,
        override_id,
        charge,
        cast(null as string) as adjustment_id,
        tier_start,
        tier_end,
        unit_price,
        quantity,
        amount
    from rated_tiers
    union all
    select
        slice_id,
        line_id,
        period_id,
        rate_id,
        override_id,
        charge,
        adjustment_id,
        {{ to_quantity(0) }} as tier_start,
        cast(null as {{ quantity_type() }}) as tier_end,
        cast(null as {{ unit_price_type() }}) as unit_price,
        {{ to_quantity(0) }} as quantity,
        amount
    from slice_reductions

)

select * from final
