{{ config(materialized='view', tags=['reader']) }}

{# What each invoice, closed or open, has drawn of a segment's own amount. #}
with

closed_drawdowns as (

    select * from {{ ref('stg_books__credit_drawdowns') }}

),

draft_drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

{# Draws of before there were tranches name their segment alone. #}
own_drawdowns as (

    select
        drawdown_id,
        segment_id,
        invoice_id,
        amount_minor
    from closed_drawdowns
    where coalesce(tranche_id, segment_id) = segment_id
    union distinct
    select
        drawdown_id,
        segment_id,
        invoice_id,
        amount_minor
    from draft_drawdowns
    where tranche_id = segment_id

),

final as (

    select
        segment_id,
        invoice_id,
        cast(sum(amount_minor) as bigint) as drawn_minor
    from own_drawdowns
    group by 1, 2

)

select * from final
