{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_usage__events') }}

),

duplicates as (

    select * from {{ ref('usage_duplicates') }}

),

customer_refs as (

    select * from {{ ref('stg_catalog__customer_refs') }}

),

final as (

    select
        events.*,
        customer_refs.customer_id,
        {{ usage_step('events.event_at') }} as usage_hour
    from events
    left join customer_refs
        on events.customer_ref = customer_refs.customer_ref
    where not exists (
        select 1
        from duplicates
        where
            duplicates.landing_sequence = events.landing_sequence
            and duplicates.landing_row = events.landing_row
    )

)

-- The flat property columns differ from lake to lake.
select * from final -- noqa: AM04
