{{ config(materialized='view') }}

{# Totals and hashes of the lines of each draft that has lines. #}
with

lines as (

    select * from {{ ref('draft_invoice_lines') }}

),

sub_lines as (

    select * from {{ ref('draft_invoice_sub_lines') }}

),

line_totals as (

    select
        invoice_id,
        cast(
            sum(case when {{ is_applied() }} then 0 else amount_minor end) as bigint
        ) as usage_minor,
        cast(
            sum(case when {{ lowers_total() }} then amount_minor else 0 end) as bigint
        ) as applied_minor,
        cast(
            sum(case when {{ is_owed() }} then amount_minor else 0 end) as bigint
        ) as total_minor,
        cast(count(*) as bigint) as line_count,
        {{ ordered_concat(invoice_line_hash(), 'line_number') }} as line_hashes
    from lines
    group by 1

),

sub_line_hashes as (

    select
        invoice_id,
        {{ ordered_concat(invoice_sub_line_hash(), 'sub_line_id') }} as sub_line_hashes
    from sub_lines
    group by 1

),

final as (

    select
        line_totals.invoice_id,
        line_totals.usage_minor,
        line_totals.applied_minor,
        line_totals.total_minor,
        line_totals.line_count,
        line_totals.line_hashes,
        coalesce(sub_line_hashes.sub_line_hashes, '') as sub_line_hashes
    from line_totals
    left join sub_line_hashes
        on line_totals.invoice_id = sub_line_hashes.invoice_id

)

select * from final
