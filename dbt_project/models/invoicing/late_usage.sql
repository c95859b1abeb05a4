{#
  What late usage of a closed period is worth, line by line: re-rated now on the frozen
  catalog, less what was billed. Trusted only when rating again at the old watermark
  reproduces every billed line of the invoice; otherwise nothing may be corrected.
#}
with

rerated_lines as (

    select * from {{ ref('rerated_lines') }}

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

judged as (

    select
        *,
        min(case when is_line_reproduced then 1 else 0 end) over (
            partition by invoice_id
        ) = 1 as is_reproduced
    from rerated_lines

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
        judged.pricing_unit_id,
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
