{#
  Which prices made a line of usage or seats: a row per rate window and price step, flat
  amount of a step, discount or maximum, and increase of seats, with the exact amount and
  its share of the line's minor units by largest remainder.
#}
with

prices as (

    select * from {{ ref('draft_line_prices') }}
    union all
    select * from {{ ref('draft_seat_prices') }}

),

lines as (

    select * from {{ ref('draft_invoice_lines') }}
    where line_type in ('usage', 'subscription')

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

floored as (

    select
        prices.*,
        currencies.minor_unit_factor,
        case
            when prices.pricing_unit_id is not null then cast(0 as bigint)
            else {{ floor_minor('prices.amount', 'currencies.minor_unit_factor') }}
        end as floor_minor
    from prices
    inner join currencies
        on prices.currency = currencies.currency

),

ranked as (

    select
        floored.*,
        lines.amount_minor - cast(
            sum(floored.floor_minor) over (partition by floored.line_id) as bigint
        ) as left_over_minor,
        row_number() over (
            partition by floored.line_id
            order by
                cast(
                    floored.amount * cast(floored.minor_unit_factor as decimal(5, 0))
                    as decimal(37, 12)
                ) - floored.floor_minor desc,
                floored.rate_starting_at asc, floored.rate_id asc,
                coalesce(floored.override_id, '') asc,
                coalesce(floored.adjustment_id, '') asc, floored.tier_start asc,
                floored.charge desc, coalesce(floored.unit_price, 0) asc
        ) as remainder_rank
    from floored
    inner join lines
        on floored.line_id = lines.line_id

),

final as (

    select
        {{ hash_id('sub', [
            'line_id', 'rate_id', decimal_text('tier_start')
            ~ " || case when charge = 'unit' then '' else '/' || charge end"
            ~ " || coalesce('/' || override_id, '') || coalesce('/' || adjustment_id, '')"
            ~ " || case when price_model = 'dynamic' and charge = 'unit'"
            ~ " then '/' || " ~ decimal_text('unit_price') ~ " else '' end",
        ]) }} as sub_line_id,
        line_id,
        invoice_id,
        cast(
            row_number() over (
                partition by line_id
                order by
                    rate_starting_at asc, rate_id asc,
                    coalesce(override_id, '') asc, coalesce(adjustment_id, '') asc,
                    tier_start asc, charge desc, coalesce(unit_price, 0) asc
            ) as bigint
        ) as sub_line_number,
        rate_id,
        override_id,
        price_model,
        charge,
        adjustment_id,
        tier_start,
        tier_end,
        quantity,
        unit_price,
        currency,
        pricing_unit_id,
        amount,
        floor_minor
        + case when remainder_rank <= left_over_minor then 1 else 0 end as amount_minor,
        rate_starting_at,
        rate_ending_before
    from ranked

)

select * from final
