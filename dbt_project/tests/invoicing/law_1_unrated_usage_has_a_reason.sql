{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'unbilled_usage'}},
        'description': 'Metered usage is priced, was priced when its period closed, or stands in unbilled_usage with a reason.',
    },
) }}

{#
  Law 1, unbilled. Usage that no line charges and no row explains is revenue that nobody
  misses. Events that no metric reached must all be listed as well.
#}
with

metered_usage as (

    select * from {{ ref('metered_usage') }}
    where usage_hour < {{ as_of() }}

),

priced as (

    select * from {{ ref('period_usage') }}
    where
        rating_basis = 'open'
        and is_entitled

),

priced_when_closed as (

    select * from {{ ref('closed_period_usage') }}
    where
        is_charged
        or rate_says % 2 = 1

),

unbilled_usage as (

    select * from {{ ref('unbilled_usage') }}

),

silent as (

    select
        metered_usage.customer_id,
        metered_usage.metric_id,
        metered_usage.pricing_group_values,
        metered_usage.presentation_group_values,
        metered_usage.usage_hour,
        metered_usage.event_count,
        'metered, and neither priced nor explained' as problem
    from metered_usage
    where
        not exists (
            select 1
            from priced
            where
                metered_usage.customer_id = priced.customer_id
                and metered_usage.metric_id = priced.metric_id
                and metered_usage.key_set = priced.key_set
                and metered_usage.pricing_group_values = priced.pricing_group_values
                and metered_usage.presentation_group_values
                = priced.presentation_group_values
                and metered_usage.usage_hour = priced.usage_hour
        )
        and not exists (
            select 1
            from priced_when_closed as closed
            where
                metered_usage.customer_id = closed.customer_id
                and metered_usage.metric_id = closed.metric_id
                and metered_usage.key_set = closed.key_set
                and metered_usage.pricing_group_values = closed.pricing_group_values
                and metered_usage.presentation_group_values
                = closed.presentation_group_values
                and metered_usage.usage_hour = closed.usage_hour
        )
        and not exists (
            select 1
            from unbilled_usage
            where
                metered_usage.customer_id = unbilled_usage.customer_id
                and metered_usage.metric_id = unbilled_usage.metric_id
                and metered_usage.key_set = unbilled_usage.key_set
                and metered_usage.pricing_group_values
                = unbilled_usage.pricing_group_values
                and metered_usage.presentation_group_values
                = unbilled_usage.presentation_group_values
                and metered_usage.usage_hour = unbilled_usage.usage_hour
                and unbilled_usage.reason is not null
        )

),

unlisted as (

    select
        reasons.reason,
        sum(reasons.events) as events
    from (
        select
            reason,
            1 as events
        from {{ ref('unmetered_events') }}
        union all
        select
            reason,
            -event_count as events
        from unbilled_usage
        where metric_id is null
    ) as reasons
    group by 1
    having sum(reasons.events) <> 0

),

final as (

    select * from silent
    union all
    select
        cast(null as string) as customer_id,
        cast(null as string) as metric_id,
        cast(null as string) as pricing_group_values,
        cast(null as string) as presentation_group_values,
        cast(null as timestamp) as usage_hour,
        cast(events as bigint) as event_count,
        'unmetered as ' || reason || ', and not listed as often' as problem
    from unlisted

)

select * from final
