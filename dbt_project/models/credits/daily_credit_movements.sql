{{ config(materialized='view') }}

{# By how much each grant moved on each day, usage counted on the day it happened. A
   subscription or composite of a period that still runs is charged at its end: what it
   draws so far is drawn today. #}
with

draft_drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

closed_drawdowns as (

    select * from {{ ref('stg_books__credit_drawdowns') }}

),

ledger as (

    select * from {{ ref('ledger_entries') }}
    where entry_type not like '%DEDUCTION'

),

drawdowns as (

    select
        segment_id,
        cast(slice_start as date) as movement_date,
        -amount_minor as amount_minor,
        amount_minor as drawn_minor
    from closed_drawdowns
    union all
    select
        draft_drawdowns.segment_id,
        cast(least(draft_drawdowns.slice_start, {{ as_of() }}) as date)
            as movement_date,
        -draft_drawdowns.amount_minor as amount_minor,
        draft_drawdowns.amount_minor as drawn_minor
    from draft_drawdowns
    left join closed_drawdowns
        on draft_drawdowns.drawdown_id = closed_drawdowns.drawdown_id
    where closed_drawdowns.drawdown_id is null

),

movements as (

    select * from drawdowns
    union all
    select
        segment_id,
        cast(effective_at as date) as movement_date,
        amount_minor,
        0 as drawn_minor
    from ledger

),

final as (

    select
        segment_id,
        movement_date,
        cast(sum(amount_minor) as bigint) as amount_minor,
        cast(sum(drawn_minor) as bigint) as drawn_minor
    from movements
    group by 1, 2

)

select * from final
