{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_lines'}},
        'description': 'A usage line has the quantity, the exact amount and the minor units of its slices.',
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

slice_totals as (

    select
        invoice_id,
        line_id,
        sum(quantity) as quantity,
        sum(amount) as amount,
        sum(amount_minor) as amount_minor
    from slices
    group by 1, 2

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
