{{ config(materialized='view') }}

{#
  What each hour adds to the period's value of MAX, MIN, LATEST and AVG metrics, and of
  sums that carry forward: the change of the value, from zero. What was before the period
  counts in its first hour.
#}
with

period_states as (

    select * from {{ ref('period_states') }}
    where
        not is_additive
        and aggregation in ('COUNT', 'SUM', 'MAX', 'MIN', 'LATEST', 'AVG')

),

hours as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        aggregation,
        greatest(usage_hour, period_start) as usage_hour,
        min(usage_source) as usage_source,
        case
            when aggregation = 'MAX' then max(quantity)
            when aggregation = 'MIN' then min(quantity)
            when aggregation = 'LATEST'
                then {{ latest_value('quantity', ['usage_hour']) }}
            else {{ to_quantity('sum(quantity)') }}
        end as quantity,
        cast(sum(event_count) as bigint) as event_count
    from period_states
    group by 1, 2, 3, 4, 5, 6, 7

),

running as (

    select
        *,
        {{ to_quantity('sum(quantity) over (' ~ series_so_far() ~ ')') }}
            as running_sum,
        cast(sum(event_count) over ({{ series_so_far() }}) as bigint) as running_count,
        max(quantity) over ({{ series_so_far() }}) as running_max,
        min(quantity) over ({{ series_so_far() }}) as running_min
    from hours

),

valued as (

    select
        *,
        case
            when aggregation = 'MAX' then running_max
            when aggregation = 'MIN' then running_min
            when aggregation = 'LATEST' then quantity
            when aggregation = 'AVG' then {{ average('running_sum', 'running_count') }}
            else running_sum
        end as value_so_far
    from running

),

final as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        {{ to_quantity(
            'value_so_far - coalesce(lag(value_so_far) over (' ~ series() ~ '), 0)'
        ) }} as quantity,
        usage_hour,
        usage_source
    from valued

)

select * from final
