{#
  What prices that look at each event add to their steps: the amount that the event itself
  carries, the fee, and what brings the event up to its minimum or down to its maximum. A
  free event has none of them; one whose whole value is free pays no fee either. An
  override multiplies these amounts as it does the price's first step.
#}
with

slices as (

    select * from {{ ref('billable_slices') }}
    where event_id <> ''

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

first_steps as (

    select * from {{ ref('price_steps') }}
    where tier_start = 0

),

step_amounts as (

    select
        slice_id,
        {{ to_amount('sum(amount)') }} as amount
    from {{ ref('step_charges') }}
    group by 1

),

charged as (

    select
        slices.slice_id,
        slices.line_id,
        slices.period_id,
        slices.rate_id,
        slices.override_id,
        step_amounts.amount as step_amount,
        coalesce(slices.event_amount, 0) as event_amount,
        coalesce(rates.event_fee, 0) as event_fee,
        rates.event_minimum,
        rates.event_maximum,
        first_steps.multiplier
    from slices
    inner join rates
        on
            slices.price_book = rates.price_book
            and slices.rate_id = rates.rate_id
    inner join first_steps
        on
            slices.price_book = first_steps.price_book
            and slices.rate_id = first_steps.rate_id
            and coalesce(slices.override_id, '') = coalesce(first_steps.override_id, '')
    inner join step_amounts
        on slices.slice_id = step_amounts.slice_id
    where {{ is_paid_event() }}

),

multiplied as (

    select
        *,
        {{ multiply_amount('event_amount', 'multiplier') }} as carried,
        {{ multiply_amount('event_fee', 'multiplier') }} as fee,
        {{ multiply_amount('event_minimum', 'multiplier') }} as minimum,
        {{ multiply_amount('event_maximum', 'multiplier') }} as maximum
    from charged

),

totalled as (

    select
        *,
        {{ to_amount('step_amount + carried + fee') }} as total
    from multiplied

),

final as (

    {{ event_charge('carried', 'carried') }}
    union all
    {{ event_charge('fee', 'fee') }}
    union all
    {{ event_charge('event_minimum', 'greatest(coalesce(minimum, total) - total, 0)') }}
    union all
    {{ event_charge('event_maximum', 'least(coalesce(maximum, total) - total, 0)') }}

)

select * from final
