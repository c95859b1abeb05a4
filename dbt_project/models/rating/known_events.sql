{{ config(materialized='view') }}

{# Events of the hours that late usage touched, without the late ones: what was known of
   those hours when their period was closed. #}
with

late_hours as (

    select * from {{ ref('late_hours') }}

),

late_events as (

    select * from {{ ref('late_events') }}

),

events as (

    select * from {{ ref('attributed_events') }}
    where
        event_at < {{ as_of() }}
        and {{ late_days('event_date') }}

),

final as (

    select
        events.*,
        late_hours.invoice_id
    from events
    inner join late_hours
        on
            events.customer_id = late_hours.customer_id
            and events.usage_hour = late_hours.usage_hour
    where not exists (
        select 1
        from late_events
        where
            late_events.invoice_id = late_hours.invoice_id
            and late_events.landing_sequence = events.landing_sequence
            and late_events.landing_row = events.landing_row
    )

)

-- The flat property columns differ from lake to lake.
select * from final -- noqa: AM04
