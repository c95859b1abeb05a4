{{ config(materialized=deep_view()) }}

{# The charges of every slice: what the steps of its price make, and what single events
   add. #}
with

step_charges as (

    select * from {{ ref('step_charges') }}

),

event_charges as (

    select * from {{ ref('event_charges') }}

),

final as (

    select * from step_charges
    union all
    select * from event_charges

)

select * from final -- noqa: AM04
