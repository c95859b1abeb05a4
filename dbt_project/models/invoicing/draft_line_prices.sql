{{ config(materialized='view') }}

{# The rate windows and price steps that made a usage line, with their exact amounts. A
   flat amount of a step is a row of its own: quantity 0 and no unit price; so is what
   grants paid beyond the list price. #}
with

slice_charges as (

    select
        period_id,
        line_id,
        rate_id,
        override_id,
        charge,
        adjustment_id,
        tier_start,
        tier_end,
        unit_price,
        quantity,
        amount
    from {{ ref('slice_charges') }}

),

differences as (

    select * from {{ ref('commit_price_differences') }}

),

applied_rates as (

    select * from {{ ref('applied_rates') }}
    where rating_basis = 'open'

),

charges as (

    select * from slice_charges
    union all
    select
        applied_rates.period_id,
        differences.line_id,
        differences.rate_id,
        differences.override_id,
        'commit_rate' as charge,
        cast(null as string) as adjustment_id,
        {{ to_quantity(0) }} as tier_start,
        cast(null as {{ quantity_type() }}) as tier_end,
        cast(null as {{ unit_price_type() }}) as unit_price,
        {{ to_quantity(0) }} as quantity,
        differences.amount
    from differences
    inner join applied_rates
        on
            differences.line_id = applied_rates.line_id
            and differences.rate_id = applied_rates.rate_id
            and coalesce(differences.override_id, '')
            = coalesce(applied_rates.override_id, '')

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
        charges.charge,
        charges.adjustment_id,
        charges.tier_start,
        charges.tier_end,
        charges.unit_price,
        {{ to_quantity('sum(charges.quantity)') }} as quantity,
        {{ to_amount('sum(charges.amount)') }} as amount
    from charges
    inner join applied_rates
        on
            charges.period_id = applied_rates.period_id
            and charges.line_id = applied_rates.line_id
            and charges.rate_id = applied_rates.rate_id
            and coalesce(charges.override_id, '')
            = coalesce(applied_rates.override_id, '')
    group by {{ range(1, 15) | join(', ') }}
    -- A stair that usage has climbed past charged and gave back the same.
    having charges.charge in ('unit', 'free') or sum(charges.amount) <> 0

)

select * from final
