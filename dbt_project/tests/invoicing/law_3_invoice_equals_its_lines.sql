{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoices'}},
        'description': 'Usage, applied, total and line count of an invoice are those of its lines.',
    },
) }}

{#
  Law 3, invoice. The customer is charged the total and reads the lines: where they
  differ, one of the two is not what is owed.
#}
with

invoices as (

    {{ law_invoices() }}

),

lines as (

    {{ law_invoice_lines() }}

),

line_totals as (

    select
        invoice_id,
        sum(case when {{ is_applied() }} then 0 else amount_minor end) as usage_minor,
        sum(case when {{ lowers_total() }} then amount_minor else 0 end)
            as applied_minor,
        sum(case when {{ is_owed() }} then amount_minor else 0 end) as total_minor,
        count(*) as line_count,
        count(distinct currency) as currencies,
        min(currency) as currency
    from lines
    group by 1

),

final as (

    select
        coalesce(invoices.invoice_id, line_totals.invoice_id) as invoice_id,
        invoices.stands_in,
        invoices.usage_minor,
        invoices.applied_minor,
        invoices.total_minor,
        invoices.line_count,
        line_totals.usage_minor as usage_minor_of_lines,
        line_totals.applied_minor as applied_minor_of_lines,
        line_totals.total_minor as total_minor_of_lines,
        line_totals.line_count as line_count_of_lines
    from invoices
    full outer join line_totals
        on invoices.invoice_id = line_totals.invoice_id
    where
        invoices.invoice_id is null
        or invoices.usage_minor <> coalesce(line_totals.usage_minor, 0)
        or invoices.applied_minor <> coalesce(line_totals.applied_minor, 0)
        or invoices.total_minor <> coalesce(line_totals.total_minor, 0)
        or invoices.line_count <> coalesce(line_totals.line_count, 0)
        or line_totals.currencies > 1
        or line_totals.currency <> invoices.currency

)

select * from final
