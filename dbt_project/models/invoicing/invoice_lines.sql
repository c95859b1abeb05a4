{{ config(tags=['reader']) }}

{# Lines of drafts and closed invoices alike. #}
with

closed_rows as (

    select * from {{ ref('stg_books__invoice_lines') }}

),

draft_rows as (

    select * from {{ ref('draft_invoice_lines') }}

),

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

final as (

    select
        line_id,
        line_key,
        invoice_id,
        line_number,
        line_type,
        product_id,
        line_name,
        pricing_group_values,
        presentation_group_values,
        segment_id,
        applied_to_line_id,
        quantity,
        currency,
        pricing_unit_id,
        amount,
        amount_minor,
        period_start,
        period_end,
        'FINALIZED' as status
    from closed_rows
    union all
    select
        draft_rows.line_id,
        draft_rows.line_key,
        draft_rows.invoice_id,
        draft_rows.line_number,
        draft_rows.line_type,
        draft_rows.product_id,
        draft_rows.line_name,
        draft_rows.pricing_group_values,
        draft_rows.presentation_group_values,
        draft_rows.segment_id,
        draft_rows.applied_to_line_id,
        draft_rows.quantity,
        draft_rows.currency,
        draft_rows.pricing_unit_id,
        draft_rows.amount,
        draft_rows.amount_minor,
        draft_rows.period_start,
        draft_rows.period_end,
        'DRAFT' as status
    from draft_rows
    left join closed_invoices
        on draft_rows.invoice_id = closed_invoices.invoice_id
    where closed_invoices.invoice_id is null

)

select * from final
