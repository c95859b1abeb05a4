{#
  Which prices made a usage line: one row per rate window and price step, with the exact
  amount and its share of the line's minor units by largest remainder.
#}
with

rated_tiers as (

    select * from {{ ref('rated_tiers') }}

),

applied_rates as (

    select * from {{ ref('applied_rates') }}
    where rating_basis = 'open'

),

lines as (

    select * from {{ ref('draft_invoice_lines') }}
    where line_type = 'usage'

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

steps as (

    select
        applied_rates.line_id,
        applied_rates.invoice_id,
        applied_rates.rate_id,
        applied_rates.price_model,
        applied_rates.currency,
        applied_rates.rate_starting_at,
        applied_rates.rate_ending_before,
        rated_tiers.tier_start,
        rated_tiers.tier_end,
        rated_tiers.unit_price,
        {{ to_quantity('sum(rated_tiers.quantity)') }} as quantity,
        {{ to_amount('sum(rated_tiers.amount)') }} as amount
    from rated_tiers
    inner join applied_rates
        on
            rated_tiers.period_id = applied_rates.period_id
            and rated_tiers.line_id = applied_rates.line_id
            and rated_tiers.rate_id = applied_rates.rate_id
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

),

floored as (

    select
        steps.*,
        currencies.minor_unit_factor,
        {{ floor_minor('steps.amount', 'currencies.minor_unit_factor') }} as floor_minor
    from steps
    inner join currencies
        on steps.currency = currencies.currency

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
                floored.rate_starting_at asc,
                floored.rate_id asc,
                floored.tier_start asc
        ) as remainder_rank
    from floored
    inner join lines
        on floored.line_id = lines.line_id

),

final as (

    select
        {{ hash_id('sub', [
            'line_id', 'rate_id', decimal_text('tier_start'),
        ]) }} as sub_line_id,
        line_id,
        invoice_id,
        cast(
            row_number() over (
                partition by line_id order by rate_starting_at, rate_id, tier_start
            ) as bigint
        ) as sub_line_number,
        rate_id,
        price_model,
        tier_start,
        tier_end,
        quantity,
        unit_price,
        currency,
        amount,
        floor_minor
        + case when remainder_rank <= left_over_minor then 1 else 0 end as amount_minor,
        rate_starting_at,
        rate_ending_before
    from ranked

)

select * from final
