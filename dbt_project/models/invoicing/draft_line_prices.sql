{{ config(materialized='view') }}

{# The rate windows and price steps that made a usage line, with their exact amounts. A
   flat amount of a step is a row of its own: quantity 0 and no unit price. #}
with

slice_charges as (

    select * from {{ ref('slice_charges') }}

),

applied_rates as (

    select * from {{ ref('applied_rates') }}
    where rating_basis = 'open'

),

final as (

    select
        applied_rates.line_id,
        applied_rates.invoice_id,
        applied_rates.rate_id,
        applied_rates.override_id,
        applied_rates.price_model,
        applied_rates.pricing_unit_id,
        applied_rates.currency,
        applied_rates.rate_starting_at,
        applied_rates.rate_ending_before,
        slice_charges.charge,
        slice_charges.adjustment_id,
        slice_charges.tier_start,
        slice_charges.tier_end,
        slice_charges.unit_price,
        {{ to_quantity('sum(slice_charges.quantity)') }} as quantity,
        {{ to_amount('sum(slice_charges.amount)') }} as amount
    from slice_charges
    inner join applied_rates
        on
            slice_charges.period_id = applied_rates.period_id
            and slice_charges.line_id = applied_rates.line_id
            and slice_charges.rate_id = applied_rates.rate_id
            and coalesce(slice_charges.override_id, '')
            = coalesce(applied_rates.override_id, '')
    group by {{ range(1, 15) | join(', ') }}
    -- A stair that usage has climbed past charged and gave back the same.
    having slice_charges.charge in ('unit', 'free') or sum(slice_charges.amount) <> 0

)

select * from final
