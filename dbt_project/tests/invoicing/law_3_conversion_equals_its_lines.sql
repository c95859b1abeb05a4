{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_lines'}},
        'description': 'What an invoice turns into money is the exact sum of its lines in the unit, and those are no money themselves.',
    },
) }}

{#
  Law 3, conversions. Lines in a pricing unit cost nothing but through their conversion:
  what it leaves out is given away, what is money on both is charged twice. What the unit
  is worth is found here by its latest start, without the windows that rating joins by.
#}
with

lines as (

    {{ law_invoice_lines() }}

),

unit_lines as (

    select
        invoice_id,
        pricing_unit_id,
        sum(amount) as amount,
        sum(abs(amount_minor)) as amount_minor
    from lines
    where {{ is_in_pricing_unit() }}
    group by 1, 2

),

conversions as (

    select
        invoice_id,
        pricing_unit_id,
        count(*) as conversions,
        sum(quantity) as quantity,
        sum(amount) as amount,
        sum(amount_minor) as amount_minor
    from lines
    where line_type = 'cpu_conversion'
    group by 1, 2

),

{# Of drafts: what was closed was a draft before, under this law. #}
worth as (

    select
        periods.invoice_id,
        known.pricing_unit_id,
        max(periods.minor_unit_factor) as minor_unit_factor,
        {{ latest_value('known.amount_per_unit', ['known.starting_at']) }}
            as amount_per_unit
    from {{ ref('billing_periods') }} as periods
    inner join {{ ref('price_book_unit_conversions') }} as known
        on
            periods.price_book = known.price_book
            and periods.rate_card_id = known.rate_card_id
            and periods.period_end > known.starting_at
    where periods.rating_basis = 'open'
    group by 1, 2

),

final as (

    select
        coalesce(unit_lines.invoice_id, conversions.invoice_id) as invoice_id,
        coalesce(unit_lines.pricing_unit_id, conversions.pricing_unit_id)
            as pricing_unit_id,
        unit_lines.amount as amount_of_lines,
        unit_lines.amount_minor as minor_of_lines,
        conversions.conversions,
        conversions.quantity as quantity_converted,
        worth.amount_per_unit,
        conversions.amount,
        conversions.amount_minor
    from unit_lines
    full outer join conversions
        on
            unit_lines.invoice_id = conversions.invoice_id
            and unit_lines.pricing_unit_id = conversions.pricing_unit_id
    left join worth
        on
            conversions.invoice_id = worth.invoice_id
            and conversions.pricing_unit_id = worth.pricing_unit_id
    where
        coalesce(conversions.conversions, 0) <> 1
        or unit_lines.amount is null
        or unit_lines.amount <> conversions.quantity
        or unit_lines.amount_minor <> 0
        or conversions.amount
        <> {{ multiply_price('conversions.quantity', 'worth.amount_per_unit') }}
        or conversions.amount_minor
        <> {{ to_minor('conversions.amount', 'worth.minor_unit_factor') }}

)

select * from final
