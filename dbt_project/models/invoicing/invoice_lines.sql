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

    select * from {{ ref('closed_invoices') }}

),

final as (

    select
        closed_rows.line_id,
        closed_rows.line_key,
        closed_rows.invoice_id,
        closed_rows.line_number,
        closed_rows.line_type,
        closed_rows.product_id,
        closed_rows.line_name,
        closed_rows.pricing_group_values,
        closed_rows.presentation_group_values,
        closed_rows.segment_id,
        closed_rows.applied_to_line_id,
        closed_rows.quantity,
        closed_rows.currency,
        closed_rows.pricing_unit_id,
        closed_rows.amount,
        closed_rows.amount_minor,
        closed_rows.period_start,
        closed_rows.period_end,
        closed_invoices.status
    from closed_rows
    inner join closed_invoices
        on closed_rows.invoice_id = closed_invoices.invoice_id
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
