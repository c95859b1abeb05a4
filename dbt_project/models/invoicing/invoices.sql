{{ config(tags=['reader']) }}

{# Drafts and closed invoices, void ones too, alike; `status` tells. #}
with

closed_invoices as (

    select * from {{ ref('closed_invoices') }}

),

draft_invoices as (

    select * from {{ ref('draft_invoices') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

build as (

    select * from {{ ref('stg_ops__build') }}

),

all_invoices as (

    select
        invoice_id,
        invoice_number,
        status,
        customer_id,
        contract_id,
        billing_profile_id,
        invoice_type,
        close_id,
        content_hash,
        currency,
        usage_minor,
        applied_minor,
        total_minor,
        line_count,
        period_start,
        period_end,
        issued_at,
        due_at,
        closed_at
    from closed_invoices
    union all
    select
        draft_invoices.invoice_id,
        draft_invoices.invoice_number,
        'DRAFT' as status,
        draft_invoices.customer_id,
        draft_invoices.contract_id,
        draft_invoices.billing_profile_id,
        draft_invoices.invoice_type,
        cast(null as string) as close_id,
        draft_invoices.content_hash,
        draft_invoices.currency,
        draft_invoices.usage_minor,
        draft_invoices.applied_minor,
        draft_invoices.total_minor,
        draft_invoices.line_count,
        draft_invoices.period_start,
        draft_invoices.period_end,
        draft_invoices.issued_at,
        draft_invoices.due_at,
        cast(null as timestamp) as closed_at
    from draft_invoices
    left join closed_invoices
        on draft_invoices.invoice_id = closed_invoices.invoice_id
    where closed_invoices.invoice_id is null

),

final as (

    select
        all_invoices.*,
        customers.customer_name,
        {{ from_minor('all_invoices.total_minor', 'currencies.minor_unit') }} as total,
        build.build_id
    from all_invoices
    inner join currencies
        on all_invoices.currency = currencies.currency
    left join customers
        on all_invoices.customer_id = customers.customer_id
    cross join build

)

select * from final
