{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_sub_lines'}},
        'description': 'A line of usage or of a subscription has the quantity, the exact amount and the minor units of its sub-lines.',
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

priced_lines as (

    select * from lines
    where line_type in ('usage', 'subscription')

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
        coalesce(priced_lines.invoice_id, sub_line_totals.invoice_id) as invoice_id,
        coalesce(priced_lines.line_id, sub_line_totals.line_id) as line_id,
        priced_lines.quantity,
        priced_lines.amount,
        priced_lines.amount_minor,
        sub_line_totals.quantity as quantity_of_sub_lines,
        sub_line_totals.amount as amount_of_sub_lines,
        sub_line_totals.amount_minor as amount_minor_of_sub_lines
    from priced_lines
    full outer join sub_line_totals
        on priced_lines.line_id = sub_line_totals.line_id
    where
        priced_lines.line_id is null
        or sub_line_totals.line_id is null
        or priced_lines.quantity <> sub_line_totals.quantity
        or priced_lines.amount <> sub_line_totals.amount
        or priced_lines.amount_minor <> sub_line_totals.amount_minor

)

select * from final
