{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'metered_usage'}},
        'description': 'Per day, landed events = metered + duplicates + unmetered with a reason.',
    },
) }}

{#
  Law 1, events. An event without a fate is usage its customer never pays for; an event
  with two is usage paid twice, or a duplicate that was billed. The day names the
  partition to meter again.
#}
with

events as (

    select
        event_date,
        count(*) as landed
    from {{ ref('stg_usage__events') }}
    group by 1

),

metered as (

    select
        event_date,
        sum(first_metered_event_count) as metered
    from {{ ref('metered_usage') }}
    group by 1

),

duplicates as (

    select
        event_date,
        count(*) as duplicates
    from {{ ref('usage_duplicates') }}
    group by 1

),

unmetered as (

    select
        event_date,
        count(*) as unmetered
    from {{ ref('unmetered_events') }}
    group by 1

),

days as (

    select event_date from events
    union
    select event_date from metered

),

final as (

    select
        days.event_date,
        coalesce(events.landed, 0) as landed,
        coalesce(metered.metered, 0) as metered,
        coalesce(duplicates.duplicates, 0) as duplicates,
        coalesce(unmetered.unmetered, 0) as unmetered
    from days
    left join events
        on days.event_date = events.event_date
    left join metered
        on days.event_date = metered.event_date
    left join duplicates
        on days.event_date = duplicates.event_date
    left join unmetered
        on days.event_date = unmetered.event_date
    where
        coalesce(events.landed, 0)
        <> coalesce(metered.metered, 0)
        + coalesce(duplicates.duplicates, 0)
        + coalesce(unmetered.unmetered, 0)

)

select * from final
