{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'invoice_line_parts'}},
        'description': 'A line equals what grants paid of it and what is left, in money and in units.',
    },
) }}

{#
  Law 3, parts. Revenue is recognised by these parts: a cent too much is recognised
  twice, a cent too little never. A void line has none.
#}
with

lines as (

    select * from {{ ref('invoice_lines') }}
    where
        not {{ is_applied() }}
        and not {{ is_in_pricing_unit() }}

),

charged_lines as (

    select
        line_id,
        invoice_id,
        line_type,
        -- Nothing is owed of a void line.
        case when status = 'VOID' then 0 else amount_minor end as amount_minor,
        case when status = 'VOID' then 0 else quantity end as quantity,
        status = 'VOID' as is_void
    from lines

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
        charged_lines.line_id,
        charged_lines.invoice_id,
        charged_lines.amount_minor,
        parts.amount_minor as parts_minor,
        charged_lines.quantity,
        parts.quantity as parts_quantity
    from charged_lines
    left join parts
        on charged_lines.line_id = parts.line_id
    where
        (parts.line_id is null and not charged_lines.is_void)
        or parts.amount_minor <> charged_lines.amount_minor
        or (charged_lines.is_void and parts.line_id is not null)
        or (
            charged_lines.line_type = 'usage'
            and parts.quantity <> charged_lines.quantity
        )

)

select * from final
