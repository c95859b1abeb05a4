{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_lines'}},
        'description': 'What an invoice turns into money is the sum of its lines in the unit, less what grants paid of them, and those are no money themselves.',
    },
) }}

{#
  Law 3, conversions. Lines in a pricing unit cost nothing but through their conversion:
  what it leaves out is given away, what is money on both, or was paid by a grant, is
  charged twice. What the unit
  is worth is found here by its latest start, without the windows that rating joins by.
#}
with

lines as (

    {{ law_invoice_lines() }}

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

{# Closed invoices by what their close froze. #}
periods as (

    select
        invoice_id,
        price_book,
        rate_card_id,
        minor_unit_factor,
        period_end
    from {{ ref('billing_periods') }}
    where rating_basis = 'open'
    union all
    select
        invoices.invoice_id,
        closes.catalog_hash as price_book,
        invoices.rate_card_id,
        invoices.minor_unit_factor,
        invoices.period_end
    from {{ ref('stg_books__invoices') }} as invoices
    inner join {{ ref('stg_books__closes') }} as closes
        on invoices.close_id = closes.close_id
    where invoices.invoice_type = 'USAGE'

),

worth as (

    select
        periods.invoice_id,
        known.pricing_unit_id,
        max(periods.minor_unit_factor) as minor_unit_factor,
        max(known.decimal_places) as decimal_places,
        {{ latest_value('known.amount_per_unit', ['known.starting_at']) }}
            as amount_per_unit
    from periods
    inner join {{ ref('price_book_unit_conversions') }} as known
        on
            periods.price_book = known.price_book
            and periods.rate_card_id = known.rate_card_id
            and periods.period_end > known.starting_at
    group by 1, 2

),

unit_lines as (

    select
        lines.invoice_id,
        lines.pricing_unit_id,
        -- An applied line has no places to lose.
        sum(
            {{ round_to_places('lines.amount', 'coalesce(worth.decimal_places, 12)') }}
        ) as amount,
        sum(abs(lines.amount_minor)) as amount_minor
    from lines
    left join worth
        on
            lines.invoice_id = worth.invoice_id
            and lines.pricing_unit_id = worth.pricing_unit_id
    where {{ is_in_pricing_unit('lines.') }}
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
