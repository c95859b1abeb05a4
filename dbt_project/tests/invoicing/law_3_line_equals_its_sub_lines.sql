{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_sub_lines'}},
        'description': 'A usage line has the quantity, the exact amount and the minor units of its sub-lines.',
    },
) }}

{#
  Law 3, sub-lines. They show the customer which prices made the line; cents that appear
  or vanish among them make the invoice impossible to check by hand.
#}
with

lines as (

    {{ law_invoice_lines() }}

),

usage_lines as (

    select * from lines
    where line_type = 'usage'

),

sub_lines as (

    {{ law_invoice_sub_lines() }}

),

sub_line_totals as (

    select
        invoice_id,
        line_id,
        sum(quantity) as quantity,
        sum(amount) as amount,
        sum(amount_minor) as amount_minor
    from sub_lines
    group by 1, 2

),

final as (

    select
        coalesce(usage_lines.invoice_id, sub_line_totals.invoice_id) as invoice_id,
        coalesce(usage_lines.line_id, sub_line_totals.line_id) as line_id,
        usage_lines.quantity,
        usage_lines.amount,
        usage_lines.amount_minor,
        sub_line_totals.quantity as quantity_of_sub_lines,
        sub_line_totals.amount as amount_of_sub_lines,
        sub_line_totals.amount_minor as amount_minor_of_sub_lines
    from usage_lines
    full outer join sub_line_totals
        on usage_lines.line_id = sub_line_totals.line_id
    where
        usage_lines.line_id is null
        or sub_line_totals.line_id is null
        or usage_lines.quantity <> sub_line_totals.quantity
        or usage_lines.amount <> sub_line_totals.amount
        or usage_lines.amount_minor <> sub_line_totals.amount_minor

)

select * from final
