{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'invoice_line_parts'}},
        'description': 'A line equals what grants paid of it and what is left, in money and in units.',
    },
) }}

{#
  Law 3, parts. Revenue is recognised by these parts: a cent too much is recognised
  twice, a cent too little never.
#}
with

lines as (

    select * from {{ ref('invoice_lines') }}
    where
        not {{ is_applied() }}
        and not {{ is_in_pricing_unit() }}

),

parts as (

    select
        line_id,
        sum(amount_minor) as amount_minor,
        sum(quantity) as quantity
    from {{ ref('invoice_line_parts') }}
    group by 1

),

final as (

    select
        lines.line_id,
        lines.invoice_id,
        lines.amount_minor,
        parts.amount_minor as parts_minor,
        lines.quantity,
        parts.quantity as parts_quantity
    from lines
    left join parts
        on lines.line_id = parts.line_id
    where
        coalesce(parts.amount_minor, lines.amount_minor + 1) <> lines.amount_minor
        or (lines.line_type = 'usage' and parts.quantity <> lines.quantity)

)

select * from final
