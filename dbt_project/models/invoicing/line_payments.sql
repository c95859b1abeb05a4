{{ config(materialized='view', tags=['reader']) }}

{# What each segment in money paid of each line: the money as the applied line says it,
   and the units behind it. #}
with

applied_lines as (

    select * from {{ ref('invoice_lines') }}
    where
        {{ is_applied() }}
        and not {{ is_in_pricing_unit() }}

),

closed_drawdowns as (

    select * from {{ ref('stg_books__credit_drawdowns') }}

),

draft_drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

drawdowns as (

    select
        line_id,
        segment_id,
        quantity
    from closed_drawdowns
    union all
    select
        draft_drawdowns.line_id,
        draft_drawdowns.segment_id,
        draft_drawdowns.quantity
    from draft_drawdowns
    left join closed_drawdowns
        on draft_drawdowns.drawdown_id = closed_drawdowns.drawdown_id
    where closed_drawdowns.drawdown_id is null

),

grants as (

    select * from {{ ref('credit_grants') }}

),

quantities as (

    select
        line_id,
        segment_id,
        {{ to_quantity('sum(quantity)') }} as quantity
    from drawdowns
    group by 1, 2

),

final as (

    select
        applied_lines.applied_to_line_id as line_id,
        applied_lines.segment_id,
        grants.grant_type,
        quantities.quantity,
        -applied_lines.amount_minor as amount_minor
    from applied_lines
    inner join quantities
        on
            applied_lines.applied_to_line_id = quantities.line_id
            and applied_lines.segment_id = quantities.segment_id
    inner join grants
        on applied_lines.segment_id = grants.segment_id

)

select * from final
