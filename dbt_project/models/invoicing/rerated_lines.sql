{{ config(materialized='view') }}

{#
  Lines of closed invoices that late usage reached, of all kinds: what was billed beside the same line
  rated again on the frozen catalog, at the old watermark (must reproduce what was
  billed) and with all that is known now.
#}
with

rated_lines as (

    select
        {{ prefixed(rerated_columns()) }},
        quantity
    from {{ ref('rated_usage') }}
    where rating_basis in ('rerated_at_watermark', 'rerated_now')
    union all
    select
        {{ prefixed(rerated_columns()) }},
        quantity
    from {{ ref('period_end_charges') }}
    where rating_basis in ('rerated_at_watermark', 'rerated_now')

),

billed_lines as (

    select * from {{ ref('billed_lines') }}

),

late_invoices as (

    select distinct invoice_id from {{ ref('late_metered_usage') }}

),

rerated as (

    select
        invoice_id,
        line_id,
        max(product_id) as product_id,
        max(pricing_group_values) as pricing_group_values,
        max(presentation_group_values) as presentation_group_values,
        max(pricing_unit_id) as pricing_unit_id,
        {{ to_quantity(
            "sum(case when rating_basis = 'rerated_now' then quantity else 0 end)"
        ) }} as quantity_now,
        {{ to_quantity(
            "sum(case when rating_basis = 'rerated_at_watermark' then quantity else 0 end)"
        ) }} as quantity_at_watermark,
        cast(
            sum(
                case when rating_basis = 'rerated_now' then amount_minor else 0 end
            ) as bigint
        ) as rerated_minor,
        cast(
            sum(
                case
                    when rating_basis = 'rerated_at_watermark' then amount_minor else 0
                end
            ) as bigint
        ) as rerated_at_watermark_minor
    from rated_lines
    group by 1, 2

),

late_billed_lines as (

    select billed_lines.*
    from billed_lines
    inner join late_invoices
        on billed_lines.invoice_id = late_invoices.invoice_id

),

final as (

    select
        coalesce(rerated.invoice_id, late_billed_lines.invoice_id) as invoice_id,
        coalesce(rerated.line_id, late_billed_lines.line_id) as line_id,
        coalesce(rerated.product_id, late_billed_lines.product_id) as product_id,
        coalesce(
            rerated.pricing_group_values, late_billed_lines.pricing_group_values
        ) as pricing_group_values,
        coalesce(
            rerated.presentation_group_values,
            late_billed_lines.presentation_group_values
        ) as presentation_group_values,
        coalesce(
            rerated.pricing_unit_id, late_billed_lines.pricing_unit_id
        ) as pricing_unit_id,
        coalesce(late_billed_lines.quantity, 0) as billed_quantity,
        coalesce(rerated.quantity_now, 0) as quantity_now,
        coalesce(late_billed_lines.amount_minor, 0) as already_billed_minor,
        coalesce(rerated.rerated_minor, 0) as rerated_minor,
        coalesce(rerated.rerated_at_watermark_minor, 0)
        = coalesce(late_billed_lines.amount_minor, 0)
        and coalesce(rerated.quantity_at_watermark, 0)
        = coalesce(late_billed_lines.quantity, 0) as is_line_reproduced
    from rerated
    full outer join late_billed_lines
        on rerated.line_id = late_billed_lines.line_id

)

select * from final
