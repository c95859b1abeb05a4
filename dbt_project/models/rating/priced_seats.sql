{#
  What each increase of seats costs, at the one price that holds when the period, or the
  subscription in it, begins. Prorated is the price of one seat, by the seconds that are
  left, rounded to the minor unit. Without an entitled price it costs nothing.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

increases as (

    select * from {{ ref('subscription_increases') }}

),

prices as (

    select * from {{ ref('seat_prices') }}

),

priced as (

    select
        increases.period_id,
        periods.invoice_id,
        increases.subscription_id,
        increases.product_id,
        prices.rate_id,
        prices.override_id,
        prices.price_model,
        prices.rate_starting_at,
        prices.rate_ending_before,
        greatest(increases.seats_before, prices.band_start) as seats_before,
        {{ earlier_end('prices.band_end', 'increases.seats_after') }} as seats_after,
        prices.seat_price,
        periods.currency,
        periods.minor_unit,
        increases.is_prorated
        and increases.charged_seconds < increases.full_seconds as is_part,
        increases.priced_at,
        increases.held_from,
        {{ wide_integer(
            'increases.charged_seconds * periods.minor_unit_factor * '
            ~ quantity_units('prices.seat_price')
        ) }} as part_units,
        {{ wide_integer('increases.full_seconds * 1000000000000') }} as full_units
    from increases
    inner join periods
        on increases.period_id = periods.period_id
    inner join prices
        on
            increases.period_id = prices.period_id
            and increases.product_id = prices.product_id
            and {{ is_in_window('increases.priced_at', 'prices') }}
            and increases.seats_after > prices.band_start
            and (
                prices.band_end is null
                or increases.seats_before < prices.band_end
            )

),

final as (

    select
        period_id,
        invoice_id,
        subscription_id,
        product_id,
        rate_id,
        override_id,
        price_model,
        rate_starting_at,
        rate_ending_before,
        {{ to_quantity('seats_before') }} as seats_before,
        {{ to_quantity('seats_after') }} as seats_after,
        {{ to_quantity('seats_after - seats_before') }} as quantity,
        seat_price,
        cast(
            case
                when is_part
                    then {{ from_minor(
                        divide_rounded('part_units', 'full_units'), 'minor_unit'
                    ) }}
                else seat_price
            end as {{ unit_price_type() }}
        ) as unit_price,
        currency,
        priced_at,
        held_from
    from priced

)

select * from final
