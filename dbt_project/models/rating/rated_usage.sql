{#
  One row a slice with its exact charge, discounts and maximums taken off, and its charge
  in minor units: the difference of the rounded running amount of its line, so that slices
  are whole minor units and add up to the rounded line. A charge in a pricing unit is no
  money: it stays exact and has no minor units until its conversion.
#}
with

slices as (

    select * from {{ ref('usage_slices') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

slice_charges as (

    select * from {{ ref('slice_charges') }}

),

slice_amounts as (

    select
        slice_id,
        max(case when charge = 'unit' then unit_price end) as unit_price,
        {{ to_amount('sum(amount)') }} as amount
    from slice_charges
    group by 1

),

running as (

    select
        slices.*,
        slice_amounts.unit_price,
        slice_amounts.amount,
        {{ to_amount(running('slice_amounts.amount', 'slices.')) }} as amount_after
    from slices
    inner join slice_amounts
        on slices.slice_id = slice_amounts.slice_id

),

final as (

    select
        running.slice_id,
        running.line_id,
        running.period_id,
        periods.invoice_id,
        periods.contract_id,
        periods.customer_id,
        periods.rating_basis,
        running.product_id,
        running.pricing_group_values,
        running.presentation_group_values,
        running.rate_id,
        running.override_id,
        running.pricing_unit_id,
        running.metered_quantity,
        running.quantity,
        running.quantity_before,
        running.quantity_after,
        running.unit_price,
        periods.currency,
        running.amount,
        case
            when running.pricing_unit_id is not null then cast(0 as bigint)
            else
                {{ to_minor('running.amount_after', 'periods.minor_unit_factor') }}
                - {{ to_minor(
                    'running.amount_after - running.amount', 'periods.minor_unit_factor'
                ) }}
        end as amount_minor,
        running.slice_start,
        running.slice_end
    from running
    inner join periods
        on running.period_id = periods.period_id

)

select * from final
