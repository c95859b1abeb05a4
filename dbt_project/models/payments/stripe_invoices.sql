{# What Stripe says of each invoice, in the status words of the field. #}
with

stripe_invoices as (

    select * from {{ ref('stg_stripe__invoices') }}

),

final as (

    select
        stripe_invoices.account,
        stripe_invoices.stripe_invoice_id,
        stripe_invoices.stripe_number,
        stripe_invoices.billing_invoice_id as invoice_id,
        stripe_invoices.billing_env,
        stripe_invoices.stripe_customer_id,
        stripe_invoices.stripe_status,
        case
            when stripe_invoices.stripe_status = 'draft' then 'DRAFT'
            when stripe_invoices.stripe_status = 'void' then 'VOID'
            when stripe_invoices.stripe_status = 'uncollectible' then 'UNCOLLECTIBLE'
            when stripe_invoices.stripe_status = 'paid' then 'PAID'
            when stripe_invoices.amount_paid_minor > 0 then 'PARTIALLY_PAID'
            when
                stripe_invoices.is_attempted
                and stripe_invoices.collection_method = 'charge_automatically'
                then 'PAYMENT_FAILED'
            else 'FINALIZED'
        end as external_status,
        stripe_invoices.collection_method,
        upper(stripe_invoices.currency) as currency,
        stripe_invoices.subtotal_minor,
        stripe_invoices.total_minor,
        stripe_invoices.amount_due_minor,
        stripe_invoices.amount_paid_minor,
        stripe_invoices.amount_remaining_minor,
        stripe_invoices.line_count,
        stripe_invoices.stripe_status = 'open'
        and coalesce(stripe_invoices.due_at < {{ as_of() }}, false) as is_overdue,
        coalesce(stripe_invoices.paid_at > stripe_invoices.due_at, false)
            as is_paid_late,
        stripe_invoices.hosted_invoice_url,
        stripe_invoices.created_at,
        stripe_invoices.finalized_at,
        stripe_invoices.due_at,
        stripe_invoices.paid_at,
        stripe_invoices.fetched_at
    from stripe_invoices

)

select * from final
