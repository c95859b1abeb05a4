{{ config(tags=['reader']) }}

{# Sub-lines of drafts and closed invoices alike: the rate windows and price steps
   behind a line. #}
with

closed_rows as (

    select * from {{ ref('stg_books__invoice_sub_lines') }}

),

draft_rows as (

    select * from {{ ref('draft_invoice_sub_lines') }}

),

closed_invoices as (

    select * from {{ ref('closed_invoices') }}

),

final as (

    select
        closed_rows.sub_line_id,
        closed_rows.line_id,
        closed_rows.invoice_id,
        closed_rows.sub_line_number,
        closed_rows.rate_id,
        closed_rows.override_id,
        closed_rows.price_model,
        closed_rows.charge,
        closed_rows.adjustment_id,
        closed_rows.tier_start,
        closed_rows.tier_end,
        closed_rows.quantity,
        closed_rows.unit_price,
        closed_rows.currency,
        closed_rows.pricing_unit_id,
        closed_rows.amount,
        closed_rows.amount_minor,
        closed_rows.rate_starting_at,
        closed_rows.rate_ending_before,
        closed_invoices.status
    from closed_rows
    inner join closed_invoices
        on closed_rows.invoice_id = closed_invoices.invoice_id
    union all
    select
        draft_rows.sub_line_id,
        draft_rows.line_id,
        draft_rows.invoice_id,
        draft_rows.sub_line_number,
        draft_rows.rate_id,
        draft_rows.override_id,
        draft_rows.price_model,
        draft_rows.charge,
        draft_rows.adjustment_id,
        draft_rows.tier_start,
        draft_rows.tier_end,
        draft_rows.quantity,
        draft_rows.unit_price,
        draft_rows.currency,
        draft_rows.pricing_unit_id,
        draft_rows.amount,
        draft_rows.amount_minor,
        draft_rows.rate_starting_at,
        draft_rows.rate_ending_before,
        'DRAFT' as status
    from draft_rows
    left join closed_invoices
        on draft_rows.invoice_id = closed_invoices.invoice_id
    where closed_invoices.invoice_id is null

)

select * from final
