{#
  What late usage of a closed period is worth, line by line: re-rated now on the frozen
  catalog, less what was billed. Trusted only when rating again at the old watermark
  reproduces every billed line of the invoice; otherwise nothing may be corrected.
#}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where rating_basis <> 'open'

),

billed_lines as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where line_type = 'usage'

),

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

late_metered_usage as (

    select * from {{ ref('late_metered_usage') }}

),

late_invoices as (

    select
        invoice_id,
        cast(sum(event_count) as bigint) as late_event_count
    from late_metered_usage
    group by 1

),

rerated as (

    select
        invoice_id,
        line_id,
        max(product_id) as product_id,
        max(pricing_group_values) as pricing_group_values,
        max(presentation_group_values) as presentation_group_values,
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
    from rated_usage
    group by 1, 2

),

late_billed_lines as (

    select billed_lines.*
    from billed_lines
    inner join late_invoices
        on billed_lines.invoice_id = late_invoices.invoice_id

),

compared as (

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

),

judged as (

    select
        *,
        min(case when is_line_reproduced then 1 else 0 end) over (
            partition by invoice_id
        ) = 1 as is_reproduced
    from compared

),

final as (

    select
        judged.line_id,
        judged.invoice_id,
        closed_invoices.invoice_number,
        closed_invoices.customer_id,
        closed_invoices.contract_id,
        judged.product_id,
        judged.pricing_group_values,
        judged.presentation_group_values,
        closed_invoices.late_usage_policy,
        late_invoices.late_event_count as invoice_late_event_count,
        {{ to_quantity('judged.quantity_now - judged.billed_quantity') }}
            as late_quantity,
        closed_invoices.currency,
        judged.already_billed_minor,
        judged.rerated_minor,
        case
            when judged.is_reproduced
                then judged.rerated_minor - judged.already_billed_minor
        end as correction_minor,
        judged.is_reproduced,
        closed_invoices.period_start,
        closed_invoices.period_end
    from judged
    inner join closed_invoices
        on judged.invoice_id = closed_invoices.invoice_id
    inner join late_invoices
        on judged.invoice_id = late_invoices.invoice_id
    where
        not judged.is_line_reproduced
        or judged.rerated_minor <> judged.already_billed_minor
        or judged.quantity_now <> judged.billed_quantity

)

select * from final
