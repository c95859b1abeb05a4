{#
  What subscriptions cost in a period, in arrears: one line each, for the most seats that
  the period had. Where a closed period is rated again, what was billed stands: seats that
  the price book says today are not those of the close.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

seats as (

    select
        *,
        {{ multiply_price('quantity', 'unit_price') }} as amount
    from {{ ref('priced_seats') }}

),

billed_lines as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where line_type = 'subscription'

),

charged as (

    select
        period_id,
        subscription_id,
        product_id,
        max(seat_price) as unit_price,
        {{ to_quantity('sum(quantity)') }} as quantity,
        {{ to_amount('sum(amount)') }} as amount,
        min(priced_at) as starting_at
    from seats
    group by 1, 2, 3

),

final as (

    select
        {{ subscription_line_id('periods', 'charged') }} as line_id,
        charged.period_id,
        periods.invoice_id,
        periods.rating_basis,
        charged.subscription_id,
        charged.product_id,
        charged.quantity,
        charged.unit_price,
        periods.currency,
        charged.amount,
        {{ to_minor('charged.amount', 'periods.minor_unit_factor') }} as amount_minor,
        charged.starting_at
    from charged
    inner join periods
        on charged.period_id = periods.period_id
    union all
    select
        billed_lines.line_id,
        periods.period_id,
        billed_lines.invoice_id,
        periods.rating_basis,
        cast(null as string) as subscription_id,
        billed_lines.product_id,
        billed_lines.quantity,
        cast(null as {{ unit_price_type() }}) as unit_price,
        billed_lines.currency,
        billed_lines.amount,
        billed_lines.amount_minor,
        billed_lines.period_start as starting_at
    from billed_lines
    inner join periods
        on billed_lines.invoice_id = periods.invoice_id
    where periods.rating_basis in ('rerated_at_watermark', 'rerated_now')

)

select * from final
