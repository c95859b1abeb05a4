{#
  The increment rule. q runs over a line's slices in time; a slice charges F(q after) -
  F(q before) with F the price model of the slice's own rate. F is a sum over price steps
  of (share of q inside the step) x (its unit price), the first step extends below zero.
  Each share is priced from zero and rounded at 12 places before the difference is taken,
  so any split of a period adds up to the unsplit whole.
#}
with

slices as (

    select * from {{ ref('usage_slices') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

tiers as (

    select * from {{ ref('price_book_tiers') }}

),

stepped as (

    select
        slices.slice_id,
        slices.line_id,
        slices.period_id,
        slices.rate_id,
        tiers.tier_start,
        tiers.tier_end,
        tiers.unit_price,
        {{ quantity_in_tier('slices.quantity_after') }} as tier_quantity_after,
        {{ quantity_in_tier('slices.quantity_before') }} as tier_quantity_before
    from slices
    inner join periods
        on slices.period_id = periods.period_id
    inner join tiers
        on
            periods.price_book = tiers.price_book
            and slices.rate_id = tiers.rate_id

),

final as (

    select
        slice_id,
        line_id,
        period_id,
        rate_id,
        tier_start,
        tier_end,
        unit_price,
        {{ to_quantity('tier_quantity_after - tier_quantity_before') }} as quantity,
        {{ to_amount(
            multiply_price('tier_quantity_after', 'unit_price')
            ~ ' - ' ~ multiply_price('tier_quantity_before', 'unit_price')
        ) }} as amount
    from stepped
    -- A step that the slice does not touch is no row; the first one always is, so that
    -- every slice has a price.
    where
        tier_quantity_after <> tier_quantity_before
        or tier_start = 0

)

select * from final
