{{ config(tags=['reader']) }}

{#
  One row a Stripe line. Amounts are Stripe's integers; quantity and price stand in the
  description, because a price below a cent has no exact Stripe form. More lines than
  Stripe takes become one total line.
#}
with

invoices as (

    select * from {{ ref('invoices') }}
    where status <> 'DRAFT'

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

counted as (

    select
        sent_lines.*,
        cast(
            row_number() over (
                partition by sent_lines.invoice_id order by sent_lines.line_number
            ) as bigint
        ) as position,
        count(*) over (partition by sent_lines.invoice_id) as sent_line_count
    from {{ ref('invoice_lines') }} as sent_lines
    where
        sent_lines.status <> 'DRAFT'
        and {{ is_sent_to_stripe('sent_lines.') }}

),

single_lines as (

    select
        line_id,
        invoice_id,
        position,
        line_type,
        product_id,
        amount_minor,
        currency,
        {{ stripe_line_description() }} as description,
        period_start,
        period_end
    from counted
    where sent_line_count <= {{ var('stripe_line_limit') }}

),

total_lines as (

    select
        {{ hash_id('il', ['invoices.invoice_id', "'total'"]) }} as line_id,
        invoices.invoice_id,
        cast(1 as bigint) as position,
        'total' as line_type,
        cast(null as string) as product_id,
        invoices.total_minor as amount_minor,
        invoices.currency,
        'Usage of ' || coalesce(invoices.customer_name, invoices.customer_id) || ', '
        || cast(counted.sent_line_count as string) || ' lines' as description,
        invoices.period_start,
        invoices.period_end
    from counted
    inner join invoices
        on counted.invoice_id = invoices.invoice_id
    where
        counted.sent_line_count > {{ var('stripe_line_limit') }}
        and counted.position = 1

),

all_lines as (

    select * from single_lines
    union all
    select * from total_lines

),

final as (

    select
        all_lines.line_id,
        all_lines.invoice_id,
        all_lines.position,
        all_lines.line_type,
        all_lines.product_id,
        lower(all_lines.currency) as currency,
        all_lines.amount_minor,
        all_lines.amount_minor * currencies.stripe_factor as stripe_amount,
        substr(all_lines.description, 1, 5000) as description,
        all_lines.period_start,
        -- Stripe's periods include both ends.
        {{ add_seconds('all_lines.period_end', -1) }} as period_end_inclusive
    from all_lines
    inner join currencies
        on all_lines.currency = currencies.currency

)

select * from final
