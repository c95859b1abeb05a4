{#
  The hours that late usage touched, metered again as they were known at the close. All
  other hours of a closed period stand in `metered_usage` as they were.
#}
with

known_events as (

    select * from {{ ref('known_events') }}

),

final as (

    {{ states_of_events('known_events', ['quantity', 'level_change', 'event_count']) }}

)

select * from final
