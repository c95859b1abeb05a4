{{ config(materialized='view') }}

{# The increases of seats that made the line of a subscription, each at its own price, as
   draft_line_prices has those of usage. #}
with

seats as (

    select * from {{ ref('priced_seats') }}

),

final as (

    select
        {{ subscription_line_id('seats', 'seats') }} as line_id,
        invoice_id,
        rate_id,
        override_id,
        price_model,
        cast(null as string) as pricing_unit_id,
        currency,
        rate_starting_at,
        rate_ending_before,
        'unit' as charge,
        cast(null as string) as adjustment_id,
        seats_before as tier_start,
        seats_after as tier_end,
        unit_price,
        quantity,
        {{ multiply_price('quantity', 'unit_price') }} as amount
    from seats

)

select * from final
