{{ config(materialized='view') }}

{# Charges of closed invoices at list prices, as they are rated again: what grants paid
   beyond those is theirs. #}
with

lines as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where not {{ is_applied() }}

),

differences as (

    select
        line_id,
        cast(
            sum(amount_minor - coalesce(list_amount_minor, amount_minor)) as bigint
        ) as amount_minor
    from {{ ref('stg_books__credit_drawdowns') }}
    group by 1

),

final as (

    select
        lines.line_id,
        lines.invoice_id,
        lines.product_id,
        lines.pricing_group_values,
        lines.presentation_group_values,
        lines.pricing_unit_id,
        lines.quantity,
        lines.amount_minor - coalesce(differences.amount_minor, 0) as amount_minor
    from lines
    left join differences
        on lines.line_id = differences.line_id

)

select * from final
