{# Which rate and override made which line: one row a line and price. #}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where not {{ is_at_list() }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

used as (

    select
        period_id,
        line_id,
        product_id,
        rate_id,
        override_id,
        {{ to_quantity('sum(quantity)') }} as quantity,
        {{ to_amount('sum(amount)') }} as amount
    from rated_usage
    group by 1, 2, 3, 4, 5

),

final as (

    select
        used.period_id,
        used.line_id,
        used.rate_id,
        used.override_id,
        periods.invoice_id,
        periods.rating_basis,
        periods.price_book,
        periods.rate_card_id,
        used.product_id,
        rates.price_model,
        rates.pricing_group_values,
        rates.pricing_unit_id,
        used.quantity,
        periods.currency,
        used.amount,
        rates.starting_at as rate_starting_at,
        rates.ending_before as rate_ending_before
    from used
    inner join periods
        on used.period_id = periods.period_id
    inner join rates
        on
            periods.price_book = rates.price_book
            and used.rate_id = rates.rate_id

)

select * from final
