{{ config(materialized='view') }}

{# What a grant paid of usage, a subscription or a composite, as a line of its own:
   applied = -covered. What counted towards a postpaid commit stands beside, and is owed. What is
   paid in a pricing unit is no money, as its line is none. #}
with

drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

paid_lines as (

    select * from {{ ref('draft_usage_lines') }}
    union all
    select * from {{ ref('draft_period_end_lines') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

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

final as (

    select
        {{ hash_id('il', [
            'draws.invoice_id', "'applied_commit_or_credit'", 'draws.line_id', 'draws.segment_id',
        ]) }} as line_id,
        draws.invoice_id,
        case
            when grants.grant_type = 'POSTPAID_COMMIT' then 'applied_postpaid_commit'
            else 'applied_commit_or_credit'
        end as line_type,
        paid_lines.product_id,
        paid_lines.pricing_group_values,
        paid_lines.presentation_group_values,
        draws.segment_id,
        draws.line_id as applied_to_line_id,
        cast(null as string) as subject_id,
        grants.pricing_unit_id,
        {{ to_quantity(1) }} as quantity,
        cast(null as {{ unit_price_type() }}) as unit_price,
        {{ from_minor('-draws.drawn_minor', 'grants.minor_unit') }} as amount,
        case
            when grants.pricing_unit_id is null then -draws.drawn_minor
            else cast(0 as bigint)
        end as amount_minor
    from draws
    inner join paid_lines
        on draws.line_id = paid_lines.line_id
    inner join grants
        on draws.segment_id = grants.segment_id

)

select * from final
