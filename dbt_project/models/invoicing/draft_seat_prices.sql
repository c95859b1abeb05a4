{{ config(materialized='view') }}

{# The increases of seats that made the line of a subscription, each at its own price,
   as draft_line_prices has those of usage. #}
with

seats as (

    select * from {{ ref('priced_seats') }}

),

final as (

    select
        {{ subscription_line_id('seats', 'seats') }} as line_id,
        seats.invoice_id,
        seats.rate_id,
        seats.override_id,
        seats.price_model,
        cast(null as string) as pricing_unit_id,
        seats.currency,
        seats.rate_starting_at,
        seats.rate_ending_before,
        'unit' as charge,
        cast(null as string) as adjustment_id,
        seats.seats_before as tier_start,
        seats.seats_after as tier_end,
        seats.unit_price,
        seats.quantity,
        {{ multiply_price('seats.quantity', 'seats.unit_price') }} as amount
    from seats

)

select * from final
