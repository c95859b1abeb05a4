{# File invoice_reconciliation: one row an invoice, ours beside Stripe's. #}
with

invoice_reconciliation as (

    select * from {{ ref('invoice_reconciliation') }}

),

final as (

    select
        invoice_id,
        invoice_number,
        customer_id,
        stripe_account,
        stripe_invoice_id,
        stripe_number,
        external_status,
        break_reason,
        is_overdue,
        is_paid_late,
        currency,
        requested_minor,
        stripe_subtotal_minor,
        stripe_total_minor,
        requested_line_count,
        stripe_line_count,
        amount_paid_minor,
        payments_minor,
        finalized_at,
        due_at,
        paid_at
    from invoice_reconciliation

)

select * from final
