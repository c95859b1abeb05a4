{# One row a draft: the truth as of this run. The content hash covers the invoice, its
   lines and its sub-lines, and is what the books keep. #}
with

open_invoices as (

    select * from {{ ref('open_invoices') }}

),

totals as (

    select * from {{ ref('draft_invoice_totals') }}

),

build as (

    select * from {{ ref('stg_ops__build') }}

),

totalled as (

    select
        open_invoices.invoice_id,
        {{ month_text('open_invoices.period_start') }} || '-'
        || upper(open_invoices.customer_id) || '-'
        || upper(substr(open_invoices.invoice_id, 5, 6)) as invoice_number,
        open_invoices.customer_id,
        open_invoices.contract_id,
        open_invoices.rate_card_id,
        open_invoices.billing_profile_id,
        open_invoices.invoice_type,
        open_invoices.currency,
        open_invoices.minor_unit_factor,
        open_invoices.minor_unit,
        open_invoices.net_payment_terms_days,
        open_invoices.late_usage_policy,
        coalesce(totals.usage_minor, 0) as usage_minor,
        coalesce(totals.applied_minor, 0) as applied_minor,
        coalesce(totals.total_minor, 0) as total_minor,
        coalesce(totals.line_count, 0) as line_count,
        coalesce(totals.line_hashes, '') as line_hashes,
        coalesce(totals.sub_line_hashes, '') as sub_line_hashes,
        open_invoices.is_closable,
        open_invoices.period_start,
        open_invoices.period_end,
        open_invoices.closes_at as issued_at,
        {{ add_hours(
            'open_invoices.closes_at', 'open_invoices.net_payment_terms_days * 24'
        ) }} as due_at
    from open_invoices
    left join totals
        on open_invoices.invoice_id = totals.invoice_id

),

final as (

    select
        totalled.invoice_id,
        totalled.invoice_number,
        totalled.customer_id,
        totalled.contract_id,
        totalled.rate_card_id,
        totalled.billing_profile_id,
        totalled.invoice_type,
        totalled.late_usage_policy,
        {{ invoice_content_hash('totalled.line_hashes', 'totalled.sub_line_hashes') }}
            as content_hash,
        build.build_id,
        totalled.currency,
        totalled.minor_unit_factor,
        totalled.net_payment_terms_days,
        totalled.usage_minor,
        totalled.applied_minor,
        totalled.total_minor,
        {{ from_minor('totalled.total_minor', 'totalled.minor_unit') }} as total,
        totalled.line_count,
        totalled.is_closable,
        totalled.period_start,
        totalled.period_end,
        totalled.issued_at,
        totalled.due_at
    from totalled
    cross join build

)

select * from final
