{#
  Lines of open periods: one usage line per product and group values, and one applied
  line (negative) per usage line and grant that paid for it.
#}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where rating_basis = 'open'

),

drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

usage_lines as (

    select
        line_id,
        invoice_id,
        'usage' as line_type,
        product_id,
        pricing_group_values,
        presentation_group_values,
        cast(null as string) as segment_id,
        cast(null as string) as applied_to_line_id,
        {{ to_quantity('sum(quantity)') }} as quantity,
        {{ to_amount('sum(amount)') }} as amount,
        cast(sum(amount_minor) as bigint) as amount_minor
    from rated_usage
    group by 1, 2, 3, 4, 5, 6

),

draws as (

    select
        invoice_id,
        line_id,
        segment_id,
        cast(sum(amount_minor) as bigint) as drawn_minor
    from drawdowns
    group by 1, 2, 3

),

applied_lines as (

    select
        {{ hash_id('il', [
            'draws.invoice_id', "'applied_commit_or_credit'", 'draws.line_id', 'draws.segment_id',
        ]) }} as line_id,
        draws.invoice_id,
        'applied_commit_or_credit' as line_type,
        usage_lines.product_id,
        usage_lines.pricing_group_values,
        usage_lines.presentation_group_values,
        draws.segment_id,
        draws.line_id as applied_to_line_id,
        {{ to_quantity(1) }} as quantity,
        {{ from_minor('-draws.drawn_minor', 'grants.minor_unit') }} as amount,
        -draws.drawn_minor as amount_minor
    from draws
    inner join usage_lines
        on draws.line_id = usage_lines.line_id
    inner join grants
        on draws.segment_id = grants.segment_id

),

lines as (

    select * from usage_lines
    union all
    select * from applied_lines

),

final as (

    select
        lines.line_id,
        {{ hash_id('lk', [
            'lines.line_type', 'lines.product_id', 'lines.pricing_group_values',
            'lines.presentation_group_values', "coalesce(lines.segment_id, '')",
        ]) }} as line_key,
        lines.invoice_id,
        cast(
            row_number() over (
                partition by lines.invoice_id
                order by
                    case lines.line_type when 'usage' then 1 else 2 end,
                    products.product_name,
                    lines.pricing_group_values,
                    lines.presentation_group_values,
                    lines.line_id
            ) as bigint
        ) as line_number,
        lines.line_type,
        lines.product_id,
        case lines.line_type
            when 'usage' then products.product_name
            else grants.grant_name || ' applied to ' || products.product_name
        end as line_name,
        lines.pricing_group_values,
        lines.presentation_group_values,
        lines.segment_id,
        lines.applied_to_line_id,
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
    inner join products
        on lines.product_id = products.product_id
    left join grants
        on lines.segment_id = grants.segment_id

)

select * from final
