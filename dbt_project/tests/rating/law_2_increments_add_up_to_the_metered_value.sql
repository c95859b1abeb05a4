{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'period_usage'}},
        'description': 'Increments of a period add up to the value of its metric over the whole period.',
    },
) }}

{#
  Law 2, increments. A customer whose increments do not add up to the maximum, mean, last
  value ... of the period pays for usage that was not there, or not for usage that was.
  The value is taken here over the whole period at once, without running windows.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where not {{ is_at_watermark() }}

),

metrics as (

    select * from {{ ref('stg_catalog__billable_metrics') }}

),

metered as (

    select
        metered_usage.*,
        periods.period_id,
        periods.period_start,
        least(periods.period_end, {{ usage_horizon() }}) as period_end,
        metrics.aggregation
    from {{ ref('metered_usage') }} as metered_usage
    inner join metrics
        on metered_usage.metric_id = metrics.metric_id
    inner join periods
        on
            metered_usage.customer_id = periods.customer_id
            and metered_usage.usage_hour < periods.period_end
            and metered_usage.usage_hour < {{ as_of() }}
            and (
                metered_usage.usage_hour >= periods.period_start
                or metrics.is_carried_forward
            )

),

sums as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        aggregation,
        {{ to_quantity('sum(quantity)') }} as total,
        cast(sum(event_count) as bigint) as members,
        max(quantity) as highest,
        min(quantity) as lowest,
        {{ latest_value('quantity', ['usage_hour']) }} as latest,
        sum(
            case when usage_hour < period_start then 0 else quantity end
            + {{ level_in_steps('level_change', steps_between(
                'greatest(' ~ add_steps('usage_hour', 1) ~ ', period_start)', 'period_end'
            )) }}
        ) as unit_hours
    from metered
    where aggregation <> 'UNIQUE'
    group by 1, 2, 3, 4, 5, 6

),

counts as (

    select
        periods.period_id,
        metered_values.metric_id,
        metered_values.key_set,
        metered_values.pricing_group_values,
        metered_values.presentation_group_values,
        count(distinct metered_values.metered_value) as distinct_values
    from {{ ref('metered_values') }} as metered_values
    inner join metrics
        on metered_values.metric_id = metrics.metric_id
    inner join periods
        on
            metered_values.customer_id = periods.customer_id
            and metered_values.usage_hour < periods.period_end
            and metered_values.usage_hour < {{ as_of() }}
            and (
                metered_values.usage_hour >= periods.period_start
                or metrics.is_carried_forward
            )
    group by 1, 2, 3, 4, 5

),

valued as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        cast(
            case aggregation
                when 'MAX' then highest
                when 'MIN' then lowest
                when 'LATEST' then latest
                when 'AVG' then {{ average('total', 'members') }}
                when 'TIME_WEIGHTED_SUM' then unit_hours
                else total
            end as {{ quantity_type() }}
        ) as quantity
    from sums
    union all
    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        {{ to_quantity('distinct_values') }} as quantity
    from counts

),

increments as (

    select
        usage_by_period.period_id,
        usage_by_period.metric_id,
        usage_by_period.key_set,
        usage_by_period.pricing_group_values,
        usage_by_period.presentation_group_values,
        sum(usage_by_period.quantity) as quantity
    from {{ ref('usage_by_period') }} as usage_by_period
    inner join periods
        on usage_by_period.period_id = periods.period_id
    group by 1, 2, 3, 4, 5

),

final as (

    select
        coalesce(valued.period_id, increments.period_id) as period_id,
        coalesce(valued.metric_id, increments.metric_id) as metric_id,
        valued.pricing_group_values,
        valued.presentation_group_values,
        valued.quantity as metered_quantity,
        increments.quantity as added_up_quantity
    from valued
    full outer join increments
        on
            valued.period_id = increments.period_id
            and valued.metric_id = increments.metric_id
            and valued.key_set = increments.key_set
            and valued.pricing_group_values = increments.pricing_group_values
            and valued.presentation_group_values = increments.presentation_group_values
    where
        valued.quantity is null
        or increments.quantity is null
        or valued.quantity <> increments.quantity

)

select * from final
