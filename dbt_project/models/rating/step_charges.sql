{% set slice_ids = 'slice_id, line_id, period_id, rate_id, override_id' -%}
{#
  The increment rule. q runs over a line's slices in time; a slice charges F(q after) -
  F(q before) with F the price model of the slice's own rate; the first slice of a line
  charges F(q after), so that the flat amount of the first step counts. F is a sum over
  price steps of (share of q inside the step) x (its unit price) + the flat amount of the
  step once it is reached; the first step extends below zero. Each share is priced from
  zero and rounded at 12 places before the difference is taken, so any split of a period
  adds up to the unsplit whole. Volume-like models price every unit by the step that
  holds the line's final quantity.
#}
with

steps as (

    select
        *,
        price_model in ('volume', 'stairstep') as is_volume_like
    from {{ ref('slice_steps') }}

),

shares as (

    select
        *,
        {{ quantity_in_step('billable_before', 'tier_start', 'tier_end') }}
            as share_before,
        {{ quantity_in_step('billable_after', 'tier_start', 'tier_end') }}
            as share_after,
        {{ quantity_in_step('priced_before', 'priced_start', 'priced_end') }}
            as priced_share_before,
        {{ quantity_in_step('priced_after', 'priced_start', 'priced_end') }}
            as priced_share_after,
        slice_number > 1 and {{ is_step_reached('billable_before') }}
            as was_reached,
        {{ is_step_reached('billable_after') }} as is_reached
    from steps

),

unit_charges as (

    select
        {{ slice_ids }},
        'unit' as charge,
        tier_start,
        tier_end,
        unit_price,
        {{ to_quantity('share_after - share_before') }} as quantity,
        {{ to_amount(
            multiply_price('priced_share_after', 'unit_price')
            ~ ' - ' ~ multiply_price('priced_share_before', 'unit_price')
        ) }} as amount
    from shares
    -- A step that the slice does not touch is no row; one always is, so that every
    -- slice has a price.
    where
        share_after <> share_before
        or (not is_volume_like and tier_start = 0)
        or (is_volume_like and holds_line_quantity)

),

flat_charges as (

    select
        {{ slice_ids }},
        'flat' as charge,
        tier_start,
        tier_end,
        cast(null as {{ unit_price_type() }}) as unit_price,
        {{ to_quantity(0) }} as quantity,
        {{ to_amount('case when is_reached then flat_amount else -flat_amount end') }}
            as amount
    from shares
    where
        flat_amount <> 0
        and is_reached <> was_reached

),

free_charges as (

    select
        {{ slice_ids }},
        'free' as charge,
        tier_start,
        cast(null as {{ quantity_type() }}) as tier_end,
        cast(0 as {{ unit_price_type() }}) as unit_price,
        free_quantity as quantity,
        {{ to_amount(0) }} as amount
    from shares
    where
        free_quantity <> 0
        and tier_start = 0

),

final as (

    select * from unit_charges
    union all
    select * from free_charges
    union all
    select * from flat_charges

)

select * from final
