{# File invoice_lines: one row a line. #}
with

invoice_lines as (

    select * from {{ ref('invoice_lines') }}

),

final as (

    select
        line_id,
        invoice_id,
        line_number,
        status,
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
        period_end
    from invoice_lines

)

select * from final
