{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoices'}},
        'description': 'No two invoices have the same number or id.',
    },
) }}

{# Two invoices with one number cannot be told apart by the customer or an auditor. #}
with

invoices as (

    {{ law_invoices() }}

),

final as (

    select
        invoice_number,
        count(*) as invoices,
        min(invoice_id) as first_invoice_id,
        max(invoice_id) as last_invoice_id
    from invoices
    group by 1
    having count(*) > 1
    union all
    select
        min(invoice_number) as invoice_number,
        count(*) as invoices,
        invoice_id as first_invoice_id,
        invoice_id as last_invoice_id
    from invoices
    group by 3
    having count(*) > 1

)

select * from final
