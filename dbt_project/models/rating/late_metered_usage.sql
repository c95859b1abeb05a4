{#
  Usage of a closed period that landed after the period's watermark, or whose sender was
  attributed to the customer only after the close. Metered by the same plan as all usage;
  it says what came late, not what the period was short of: a late value below the
  maximum changes nothing.
#}
with

late_events as (

    select * from {{ ref('late_events') }}

),

final as (

    {{ states_of_events('late_events', ['quantity', 'event_count']) }}

)

select * from final
