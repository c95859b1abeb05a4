{#
  Lines of open periods: one usage line per product, group values and unit, composites,
  pricing units turned into money, what is missing to minimums, and one applied line
  (negative) per usage line and grant that paid for it.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

lines as (

    select * from {{ ref('draft_usage_lines') }}
    union all
    select * from {{ ref('draft_period_end_lines') }}
    union all
    select * from {{ ref('draft_applied_lines') }}

),

final as (

    select
        lines.line_id,
        {{ hash_id('lk', [
            'lines.line_type', "coalesce(lines.product_id, '')",
            'lines.pricing_group_values', 'lines.presentation_group_values',
            "coalesce(lines.segment_id, '') || coalesce('|' || lines.limit_id, '')"
            ~ " || coalesce('|' || lines.pricing_unit_id, '')",
        ]) }} as line_key,
        lines.invoice_id,
        cast(
            row_number() over (
                partition by lines.invoice_id
                order by
                    {{ line_type_order() }},
                    case when lines.product_id is null then 1 else 0 end,
                    products.product_name,
                    lines.pricing_group_values,
                    lines.presentation_group_values,
                    coalesce(lines.pricing_unit_id, ''),
                    lines.line_id
            ) as bigint
        ) as line_number,
        lines.line_type,
        lines.product_id,
        {{ line_name() }} as line_name,
        lines.pricing_group_values,
        lines.presentation_group_values,
        lines.segment_id,
        lines.applied_to_line_id,
        lines.pricing_unit_id,
        lines.quantity,
        periods.currency,
        lines.amount,
        lines.amount_minor,
        periods.is_closable,
        periods.period_start,
        periods.period_end
    from lines
    inner join periods
        on lines.invoice_id = periods.invoice_id
    left join products
        on
            lines.product_id = products.product_id
            and {{ is_last_version('periods.period_end', 'products') }}
    left join contracts
        on periods.contract_id = contracts.contract_id
    left join pricing_units
        on lines.pricing_unit_id = pricing_units.pricing_unit_id
    left join grants
        on lines.segment_id = grants.segment_id

)

select * from final
