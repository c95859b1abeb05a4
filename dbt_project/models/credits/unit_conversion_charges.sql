{# What a period owes in a pricing unit, turned into money: the sum of the unit's lines,
   each rounded to its decimal places, less what grants in the unit pay, times the card's
   conversion at the period's last instant, rounded once; without one it has no amount,
   which a check forbids. Where grants pay all, it is a line of nothing. #}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where not {{ is_at_list() }}

),

conversions as (

    select * from {{ ref('price_book_unit_conversions') }}

),

draws as (

    select * from {{ ref('unit_draws') }}

),

lines as (

    select
        period_id,
        line_id,
        pricing_unit_id,
        {{ to_amount('sum(amount)') }} as amount
    from {{ ref('rated_usage') }}
    where pricing_unit_id is not null
    group by 1, 2, 3

),

priced as (

    select
        periods.*,
        lines.pricing_unit_id,
        lines.amount as line_amount,
        conversions.amount_per_unit,
        coalesce(conversions.decimal_places, 12) as decimal_places
    from lines
    inner join periods
        on lines.period_id = periods.period_id
    left join conversions
        on
            periods.price_book = conversions.price_book
            and periods.rate_card_id = conversions.rate_card_id
            and lines.pricing_unit_id = conversions.pricing_unit_id
            and {{ is_last_version('periods.period_end', 'conversions') }}

),

owed as (

    select
        period_id,
        invoice_id,
        rating_basis,
        pricing_unit_id,
        currency,
        minor_unit_factor,
        amount_per_unit,
        sum({{ round_to_places('line_amount', 'decimal_places') }}) as units
    from priced
    group by 1, 2, 3, 4, 5, 6, 7

),

left_over as (

    select
        owed.*,
        {{ to_quantity('owed.units - coalesce(draws.drawn_amount, 0)') }} as quantity
    from owed
    left join draws
        on
            owed.invoice_id = draws.invoice_id
            and owed.pricing_unit_id = draws.pricing_unit_id
            and (owed.rating_basis = 'open') = draws.is_draft

),

final as (

    select
        {{ hash_id('il', ['invoice_id', "'cpu_conversion'", 'pricing_unit_id']) }}
            as line_id,
        period_id,
        invoice_id,
        rating_basis,
        pricing_unit_id,
        quantity,
        amount_per_unit as unit_price,
        currency,
        {{ multiply_price('quantity', 'amount_per_unit') }} as amount,
        {{ to_minor(
            multiply_price('quantity', 'amount_per_unit'), 'minor_unit_factor'
        ) }} as amount_minor
    from left_over

)

select * from final
