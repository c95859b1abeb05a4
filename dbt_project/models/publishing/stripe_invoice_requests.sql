{{ config(tags=['reader']) }}

{# One row a closed invoice: exactly what Stripe will be told, or why it is not told. #}
with

invoices as (

    select * from {{ ref('invoices') }}
    where status = 'FINALIZED'

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

profiles as (

    select * from {{ ref('stg_catalog__billing_profiles') }}

),

stripe_customers as (

    select * from {{ ref('stg_ops__stripe_customers') }}

),

instructions as (

    select * from {{ ref('stg_ops__instructions') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

line_requests as (

    select * from {{ ref('stripe_invoice_line_requests') }}

),

default_profile as (

    select billing_profile_id
    from profiles
    where is_default

),

{# The latest word of the operator counts. #}
holds as (

    select
        target_id as invoice_id,
        kind,
        row_number() over (
            partition by target_id order by effective_at desc, instruction_id desc
        ) as recency
    from instructions
    where kind in ('hold', 'release')

),

sent_lines as (

    select
        invoice_id,
        cast(sum(stripe_amount) as bigint) as subtotal_minor,
        cast(count(*) as bigint) as line_count
    from line_requests
    group by 1

),

resolved as (

    select
        invoices.*,
        customers.customer_id is not null as is_known_customer,
        coalesce(
            stripe_customers.stripe_customer_id, customers.stripe_customer_id
        ) as stripe_customer_id,
        customers.email,
        {{ stripe_account("profiles.stripe_account") }} as stripe_account,
        coalesce(profiles.collection_method, 'charge_automatically')
            as collection_method,
        coalesce(profiles.days_until_due, contracts.net_payment_terms_days, 30)
            as profile_days_until_due,
        coalesce(profiles.is_auto_finalized, true) as is_auto_finalized,
        coalesce(profiles.skips_zero_totals, false) as skips_zero_totals,
        coalesce(sent_lines.subtotal_minor, 0) as stripe_subtotal,
        coalesce(sent_lines.line_count, 0) as stripe_line_count,
        coalesce(holds.kind = 'hold', false) as is_held,
        currencies.stripe_multiple
    from invoices
    inner join currencies
        on invoices.currency = currencies.currency
    left join customers
        on invoices.customer_id = customers.customer_id
    left join contracts
        on invoices.contract_id = contracts.contract_id
    left join default_profile
        on 1 = 1
    left join profiles
        on
            coalesce(
                contracts.billing_profile_id,
                customers.billing_profile_id,
                default_profile.billing_profile_id
            ) = profiles.billing_profile_id
    left join stripe_customers
        on
            invoices.customer_id = stripe_customers.customer_id
            and {{ stripe_account("profiles.stripe_account") }}
            = stripe_customers.account
    left join sent_lines
        on invoices.invoice_id = sent_lines.invoice_id
    left join holds
        on
            invoices.invoice_id = holds.invoice_id
            and holds.recency = 1

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
            when stripe_line_count = 0 then 'skip'
            when skips_zero_totals and stripe_subtotal = 0 then 'skip'
            when total_minor < 0 then 'refuse'
            when stripe_customer_id is null then 'refuse'
            else 'send'
        end as publish_action,
        case
            when stripe_line_count = 0 then 'no_lines'
            when skips_zero_totals and stripe_subtotal = 0 then 'zero_total'
            when total_minor < 0 then 'negative_total'
            when stripe_customer_id is null then 'no_stripe_customer'
        end as publish_reason,
        collection_method,
        case
            when collection_method = 'send_invoice' then profile_days_until_due
        end as days_until_due,
        is_auto_finalized and not is_held as is_auto_finalized,
        is_held,
        lower(currency) as currency,
        'Usage ' || {{ date_text('period_start') }} || ' to '
        || {{ date_text(add_hours('period_end', -1)) }} || ', ' || invoice_number
            as description,
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
