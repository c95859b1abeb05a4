{# One row a payment of an invoice, failed attempts included. #}
with

invoice_payments as (

    select * from {{ ref('stg_stripe__invoice_payments') }}

),

payment_intents as (

    select * from {{ ref('stg_stripe__payment_intents') }}

),

stripe_invoices as (

    select * from {{ ref('stripe_invoices') }}

),

final as (

    select
        invoice_payments.account,
        invoice_payments.invoice_payment_id as payment_id,
        stripe_invoices.invoice_id,
        invoice_payments.stripe_invoice_id,
        invoice_payments.payment_intent_id,
        payment_intents.charge_id,
        case
            when invoice_payments.payment_status = 'paid' then 'succeeded'
            when invoice_payments.payment_status = 'canceled' then 'canceled'
            when payment_intents.error_code is not null then 'failed'
            else 'pending'
        end as payment_status,
        payment_intents.error_code,
        payment_intents.decline_code,
        payment_intents.error_message,
        upper(invoice_payments.currency) as currency,
        invoice_payments.amount_requested_minor,
        invoice_payments.amount_paid_minor,
        invoice_payments.created_at,
        invoice_payments.paid_at
    from invoice_payments
    left join payment_intents
        on
            invoice_payments.account = payment_intents.account
            and invoice_payments.payment_intent_id = payment_intents.payment_intent_id
    left join stripe_invoices
        on
            invoice_payments.account = stripe_invoices.account
            and invoice_payments.stripe_invoice_id = stripe_invoices.stripe_invoice_id

)

select * from final
