{# File invoices: one row an invoice, drafts included. #}
with

invoices as (

    select * from {{ ref('invoices') }}

),

final as (

    select
        invoice_id,
        invoice_number,
        invoice_type,
        status,
        customer_id,
        customer_name,
        contract_id,
        currency,
        usage_minor,
        applied_minor,
        total_minor,
        total,
        line_count,
        period_start,
        period_end,
        issued_at,
        due_at,
        closed_at
    from invoices

)

select * from final
