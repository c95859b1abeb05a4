{{ config(materialized='view') }}

{#
  Unit-hours of TIME_WEIGHTED_SUM metrics: each hour has the level that it began with, for
  the whole hour, and what the changes within it add. Hours without events have rows while
  the level is not zero, until the period ends or the hour of the run's instant. Rounded
  is the running sum: a quarter of an hour has a quarter of the level's last digit.
#}
with

period_states as (

    select
        *,
        least(period_end, {{ usage_horizon() }}) as level_ends_at
    from {{ ref('period_states') }}
    where aggregation = 'TIME_WEIGHTED_SUM'

),

hours as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        level_ends_at,
        greatest(usage_hour, period_start) as usage_hour,
        min(usage_source) as usage_source,
        sum(case when usage_hour < period_start then level_change else 0 end)
            as carried_level,
        sum(level_change) as level_change,
        sum(case when usage_hour < period_start then 0 else quantity end) as quantity
    from period_states
    group by 1, 2, 3, 4, 5, 6, 7

),

levels as (

    select
        *,
        {{ to_quantity('sum(level_change) over (' ~ series_so_far() ~ ')') }}
            as level_after,
        coalesce(
            lead(usage_hour) over ({{ series() }}), level_ends_at
        ) as next_usage_hour
    from hours

),

quiet_hours as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        {{ level_in_steps('level_after') }} as unit_hours,
        {{ each_step(add_steps('usage_hour', 1), add_steps('next_usage_hour', -1)) }}
            as usage_hour,
        usage_source
    from levels
    where
        level_after <> 0
        and {{ add_steps('usage_hour', 1) }} < next_usage_hour

),

all_hours as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        {{ level_in_steps('level_after - level_change + carried_level') }}
        + quantity as unit_hours,
        usage_hour,
        usage_source
    from levels
    union all
    select * from quiet_hours

),

final as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        {{ to_quantity(
            to_quantity('sum(unit_hours) over (' ~ series_so_far() ~ ')') ~ ' - '
            ~ to_quantity('sum(unit_hours) over (' ~ series_so_far() ~ ') - unit_hours')
        ) }} as quantity,
        usage_hour,
        usage_source
    from all_hours

)

select * from final
