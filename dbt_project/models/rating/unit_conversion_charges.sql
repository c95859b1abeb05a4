{#
  What a period owes in a pricing unit, turned into money: the exact sum of the unit's
  lines times the card's conversion at the period's last instant, rounded once. A unit
  without a conversion then has no amount, which a check forbids.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where not {{ is_at_list() }}

),

conversions as (

    select * from {{ ref('price_book_unit_conversions') }}

),

owed as (

    select
        period_id,
        pricing_unit_id,
        {{ to_quantity('sum(amount)') }} as quantity
    from {{ ref('rated_usage') }}
    where pricing_unit_id is not null
    group by 1, 2

),

converted as (

    select
        owed.*,
        periods.invoice_id,
        periods.rating_basis,
        periods.currency,
        periods.minor_unit_factor,
        conversions.amount_per_unit as unit_price,
        {{ multiply_price('owed.quantity', 'conversions.amount_per_unit') }} as amount
    from owed
    inner join periods
        on owed.period_id = periods.period_id
    left join conversions
        on
            periods.price_book = conversions.price_book
            and periods.rate_card_id = conversions.rate_card_id
            and owed.pricing_unit_id = conversions.pricing_unit_id
            and {{ is_last_version('periods.period_end', 'conversions') }}

),

final as (

    select
        {{ hash_id('il', [
            'invoice_id', "'cpu_conversion'", 'pricing_unit_id',
        ]) }} as line_id,
        period_id,
        invoice_id,
        rating_basis,
        pricing_unit_id,
        quantity,
        unit_price,
        currency,
        amount,
        {{ to_minor('amount', 'minor_unit_factor') }} as amount_minor
    from converted

)

select * from final
