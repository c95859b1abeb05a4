{{ config(materialized='view') }}

{# Ours beside Stripe's, one row an invoice: a full outer join, so that an invoice which
   only one side knows is a row too. #}
with

requests as (

    select * from {{ ref('stripe_invoice_requests') }}

),

journal as (

    select * from {{ ref('stg_ops__publish_journal') }}

),

stripe_invoices as (

    select * from {{ ref('stripe_invoices') }}

),

{# An invoice that was voided and sent again leaves its VOID predecessor; a second one
   that is not void is for law 8. #}
own_stripe_invoices as (

    select
        stripe_invoices.*,
        row_number() over (
            partition by stripe_invoices.account, stripe_invoices.invoice_id
            order by
                case stripe_invoices.external_status when 'VOID' then 1 else 0 end asc,
                stripe_invoices.created_at desc,
                stripe_invoices.stripe_invoice_id asc
        ) as recency
    from stripe_invoices
    where stripe_invoices.invoice_id is not null

),

paid as (

    select
        account,
        stripe_invoice_id,
        cast(sum(amount_paid_minor) as bigint) as payments_minor
    from {{ ref('payments') }}
    where payment_status = 'succeeded'
    group by 1, 2

),

final as (

    select
        coalesce(requests.invoice_id, own_stripe_invoices.invoice_id) as invoice_id,
        requests.invoice_number,
        requests.customer_id,
        coalesce(requests.stripe_account, own_stripe_invoices.account)
            as stripe_account,
        own_stripe_invoices.stripe_invoice_id,
        own_stripe_invoices.stripe_number,
        requests.invoice_id is not null as has_request,
        journal.invoice_id is not null as has_journal,
        own_stripe_invoices.stripe_invoice_id is not null as has_stripe_invoice,
        paid.stripe_invoice_id is not null as has_payment,
        requests.publish_action,
        requests.publish_reason,
        requests.is_auto_finalized,
        journal.state as journal_state,
        journal.last_error,
        own_stripe_invoices.external_status,
        own_stripe_invoices.is_overdue,
        own_stripe_invoices.is_paid_late,
        upper(coalesce(requests.currency, own_stripe_invoices.currency)) as currency,
        upper(requests.currency) <> own_stripe_invoices.currency
            as is_currency_different,
        requests.stripe_subtotal as requested_minor,
        own_stripe_invoices.subtotal_minor as stripe_subtotal_minor,
        own_stripe_invoices.total_minor as stripe_total_minor,
        requests.stripe_line_count as requested_line_count,
        own_stripe_invoices.line_count as stripe_line_count,
        own_stripe_invoices.amount_paid_minor,
        coalesce(paid.payments_minor, 0) as payments_minor,
        own_stripe_invoices.finalized_at,
        own_stripe_invoices.due_at,
        own_stripe_invoices.paid_at
    from requests
    full outer join own_stripe_invoices
        on
            requests.invoice_id = own_stripe_invoices.invoice_id
            and requests.stripe_account = own_stripe_invoices.account
            and own_stripe_invoices.recency = 1
    left join journal
        on
            requests.invoice_id = journal.invoice_id
            and requests.stripe_account = journal.account
    left join paid
        on
            own_stripe_invoices.account = paid.account
            and own_stripe_invoices.stripe_invoice_id = paid.stripe_invoice_id
    where requests.invoice_id is not null or own_stripe_invoices.recency = 1

)

select * from final
