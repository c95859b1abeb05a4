{{ config(materialized='view') }}

{# What closed invoices charged, slice by slice, with the group values of the line. #}
with

slices as (

    select * from {{ ref('stg_books__rated_slices') }}

),

invoice_lines as (

    select * from {{ ref('stg_books__invoice_lines') }}

),

final as (

    select
        slices.invoice_id,
        slices.product_id,
        invoice_lines.pricing_group_values,
        invoice_lines.presentation_group_values,
        slices.rate_id,
        slices.slice_start,
        slices.slice_end
    from slices
    inner join invoice_lines
        on slices.line_id = invoice_lines.line_id

)

select * from final
