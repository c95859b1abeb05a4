{{ config(
    materialized=metering_materialization(),
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_metered_days() }}",
    post_hook="{{ remember_metered_build() }}",
) }}

{#
  The values that UNIQUE metrics count: their number does not roll up, the values do. By
  the hour, because a period may begin or end within a day.
#}
with

events as (

    select * from {{ ref('attributed_events') }}
    where
        customer_id is not null
        and event_at < {{ as_of() }}
        and {{ in_usage_window('event_date') }}

),

final as (

    {{ values_of_events('events', ['customer_id']) }}

)

select * from final
