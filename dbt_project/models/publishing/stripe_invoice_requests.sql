{{ config(tags=['reader']) }}

{# One row a closed invoice: exactly what Stripe will be told, or why it is not told. #}
with

invoices as (

    select * from {{ ref('invoices') }}
    where status <> 'DRAFT'

),

delivery as (

    select * from {{ ref('invoice_delivery') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

sent_lines as (

    select
        invoice_id,
        cast(sum(stripe_amount) as bigint) as subtotal_minor,
        cast(count(*) as bigint) as line_count
    from {{ ref('stripe_invoice_line_requests') }}
    group by 1

),

resolved as (

    select
        invoices.*,
        delivery.stripe_account,
        delivery.stripe_customer_id,
        delivery.collection_method,
        delivery.days_until_due as profile_days_until_due,
        delivery.is_auto_finalized,
        delivery.skips_zero_totals,
        delivery.is_held,
        coalesce(sent_lines.subtotal_minor, 0) as stripe_subtotal,
        coalesce(sent_lines.line_count, 0) as stripe_line_count,
        currencies.stripe_multiple
    from invoices
    inner join delivery
        on invoices.invoice_id = delivery.invoice_id
    inner join currencies
        on invoices.currency = currencies.currency
    left join sent_lines
        on invoices.invoice_id = sent_lines.invoice_id

),

final as (

    select
        invoice_id,
        invoice_number,
        customer_id,
        contract_id,
        stripe_account,
        stripe_customer_id,
        case
            when status = 'VOID' then 'void'
            when stripe_line_count = 0 then 'skip'
            when skips_zero_totals and stripe_subtotal = 0 then 'skip'
            when total_minor < 0 then 'refuse'
            when stripe_customer_id is null then 'refuse'
            else 'send'
        end as publish_action,
        case
            when status = 'VOID' then 'voided'
            when stripe_line_count = 0 then 'no_lines'
            when skips_zero_totals and stripe_subtotal = 0 then 'zero_total'
            when total_minor < 0 then 'negative_total'
            when stripe_customer_id is null then 'no_stripe_customer'
        end as publish_reason,
        collection_method,
        case when collection_method = 'send_invoice' then profile_days_until_due end
            as days_until_due,
        is_auto_finalized and not is_held as is_auto_finalized,
        is_held,
        lower(currency) as currency,
        case invoice_type
            when 'SCHEDULED' then 'Commit purchase ' || {{ date_text('period_start') }}
            else
                case invoice_type when 'TRUEUP' then 'True-up ' else 'Usage ' end
                || {{ date_text('period_start') }} || ' to '
                || {{ date_text(add_hours('period_end', -1)) }}
        end || ', ' || invoice_number as description,
        total_minor,
        stripe_subtotal,
        stripe_line_count,
        stripe_multiple,
        content_hash,
        build_id,
        period_start,
        period_end,
        issued_at
    from resolved

)

select * from final
