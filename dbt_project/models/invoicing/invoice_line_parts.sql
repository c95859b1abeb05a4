{{ config(tags=['reader']) }}

{# Every charge of an invoice, if not void, in the parts that revenue is recognised by:
   what each grant covered, and what is left to pay. The parts add up to their line. #}
with

lines as (

    select * from {{ ref('invoice_lines') }}
    where
        not {{ is_applied() }} and not {{ is_in_pricing_unit() }}
        and status <> 'VOID'

),

line_payments as (

    select * from {{ ref('line_payments') }}

),

committed_lines as (

    select * from {{ ref('committed_lines') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

paid as (

    select
        line_id,
        {{ to_quantity('sum(quantity)') }} as quantity,
        cast(sum(amount_minor) as bigint) as amount_minor
    from line_payments
    group by 1

),

parts as (

    select
        line_id,
        segment_id,
        case grant_type
            when 'PREPAID_COMMIT' then 'prepaid_drawdown'
            when 'POSTPAID_COMMIT' then 'postpaid_drawdown'
            else 'credit_drawdown'
        end as revenue_category,
        quantity,
        amount_minor
    from line_payments
    union all
    select
        lines.line_id,
        cast(null as string) as segment_id,
        case
            when lines.line_type = 'commit_purchase' then 'prepaid_purchase'
            when lines.line_type = 'commit_trueup' then 'postpaid_trueup'
            when committed_lines.line_id is not null then 'overage'
            else 'on_demand'
        end as revenue_category,
        case
            when lines.line_type = 'usage'
                then {{ to_quantity('lines.quantity - coalesce(paid.quantity, 0)') }}
        end as quantity,
        lines.amount_minor - coalesce(paid.amount_minor, 0) as amount_minor
    from lines
    left join paid
        on lines.line_id = paid.line_id
    left join committed_lines
        on lines.line_id = committed_lines.line_id
    where
        paid.line_id is null
        or paid.amount_minor <> lines.amount_minor
        -- Free units that stand beside what was covered.
        or (lines.line_type = 'usage' and paid.quantity <> lines.quantity)

),

final as (

    select
        {{ hash_id('lp', ['parts.line_id', "coalesce(parts.segment_id, '')"]) }}
            as line_part_id,
        parts.line_id,
        lines.invoice_id,
        lines.line_type,
        lines.product_id,
        parts.segment_id,
        parts.revenue_category,
        parts.quantity,
        lines.currency,
        {{ from_minor('parts.amount_minor', 'currencies.minor_unit') }} as amount,
        parts.amount_minor,
        lines.status
    from parts
    inner join lines
        on parts.line_id = lines.line_id
    inner join currencies
        on lines.currency = currencies.currency

)

select * from final
