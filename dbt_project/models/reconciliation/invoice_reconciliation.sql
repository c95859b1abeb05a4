{#
  Our invoices beside Stripe's, with one named reason where a person is needed:
  `break_reason` is NULL when nothing is.
#}
with

matched as (

    select * from {{ ref('matched_invoices') }}

),

final as (

    select
        invoice_id,
        invoice_number,
        customer_id,
        stripe_account,
        stripe_invoice_id,
        stripe_number,
        has_request,
        has_journal,
        has_stripe_invoice,
        has_payment,
        publish_action,
        publish_reason,
        journal_state,
        last_error,
        case
            when publish_action = 'skip' then 'SKIPPED'
            when has_stripe_invoice then external_status
            when publish_action = 'void' then 'SKIPPED'
            when journal_state in ('failed', 'refused') then 'INVALID_REQUEST_ERROR'
            else 'QUEUED'
        end as external_status,
        case
            when not has_stripe_invoice and publish_action in ('skip', 'void')
                then cast(null as string)
            when not has_request then 'not_ours_to_send'
            when publish_action = 'void' and external_status = 'VOID'
                then cast(null as string)
            when
                publish_action = 'void'
                and external_status in ('PAID', 'PARTIALLY_PAID')
                then 'void_here_paid_in_stripe'
            when publish_action = 'void' then 'void_here_not_in_stripe'
            when publish_action = 'refuse' then publish_reason
            when journal_state in ('failed', 'refused') then 'publishing_failed'
            when not has_stripe_invoice then 'not_published'
            when publish_action = 'skip' then 'published_though_skipped'
            when is_currency_different then 'currency_differs'
            when requested_minor <> stripe_subtotal_minor then 'total_differs'
            when requested_line_count <> stripe_line_count then 'line_count_differs'
            when external_status = 'DRAFT' and is_auto_finalized then 'draft_stuck'
            when coalesce(amount_paid_minor, 0) <> payments_minor
                then 'payments_differ'
        end as break_reason,
        coalesce(is_overdue, false) as is_overdue,
        coalesce(is_paid_late, false) as is_paid_late,
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
    from matched

)

select * from final
