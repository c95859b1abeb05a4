{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_lines'}},
        'description': 'A usage line has the quantity, the exact amount and the minor units of its slices, and of what grants paid beyond their list prices.',
    },
) }}

{#
  Law 3, slices. Credits are drawn slice by slice: slices that do not add up to their line
  let a customer pay, or a grant cover, what nobody was charged.
#}
with

lines as (

    {{ law_invoice_lines() }}

),

usage_lines as (

    select * from lines
    where line_type = 'usage'

),

slices as (

    {{ law_slices() }}

),

drawdowns as (

    {{ law_drawdowns() }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

differences as (

    select
        drawdowns.line_id,
        {{ from_minor(
            'sum(drawdowns.amount_minor - coalesce(drawdowns.list_amount_minor, '
            ~ 'drawdowns.amount_minor))',
            'currencies.minor_unit'
        ) }} as amount,
        sum(
            drawdowns.amount_minor
            - coalesce(drawdowns.list_amount_minor, drawdowns.amount_minor)
        ) as amount_minor
    from drawdowns
    inner join currencies
        on drawdowns.currency = currencies.currency
    group by drawdowns.line_id, currencies.minor_unit

),

rated as (

    select
        invoice_id,
        line_id,
        sum(quantity) as quantity,
        sum(amount) as amount,
        sum(amount_minor) as amount_minor
    from slices
    group by invoice_id, line_id

),

slice_totals as (

    select
        rated.invoice_id,
        rated.line_id,
        rated.quantity,
        rated.amount + coalesce(differences.amount, 0) as amount,
        rated.amount_minor + coalesce(differences.amount_minor, 0) as amount_minor
    from rated
    left join differences
        on rated.line_id = differences.line_id

),

final as (

    select
        coalesce(usage_lines.invoice_id, slice_totals.invoice_id) as invoice_id,
        coalesce(usage_lines.line_id, slice_totals.line_id) as line_id,
        usage_lines.quantity,
        usage_lines.amount,
        usage_lines.amount_minor,
        slice_totals.quantity as quantity_of_slices,
        slice_totals.amount as amount_of_slices,
        slice_totals.amount_minor as amount_minor_of_slices
    from usage_lines
    full outer join slice_totals
        on usage_lines.line_id = slice_totals.line_id
    where
        usage_lines.line_id is null
        or slice_totals.line_id is null
        or usage_lines.quantity <> slice_totals.quantity
        or usage_lines.amount <> slice_totals.amount
        or usage_lines.amount_minor <> slice_totals.amount_minor

)

select * from final
