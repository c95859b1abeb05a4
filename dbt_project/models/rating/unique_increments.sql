{{ config(materialized='view') }}

{# How many values each hour of a period sees first. Every metered hour keeps its row;
   values of before the period count in its first hour. #}
with

period_values as (

    select * from {{ ref('period_values') }}

),

period_states as (

    select * from {{ ref('period_states') }}
    where aggregation = 'UNIQUE'

),

first_seen as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        metered_value,
        greatest(min(usage_hour), min(period_start)) as usage_hour
    from period_values
    group by 1, 2, 3, 4, 5, 6

),

counted as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        usage_hour,
        count(*) as new_values,
        'metered_usage' as usage_source
    from first_seen
    group by 1, 2, 3, 4, 5, 6
    union all
    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        greatest(usage_hour, period_start) as usage_hour,
        0 as new_values,
        usage_source
    from period_states

),

final as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        {{ to_quantity('sum(new_values)') }} as quantity,
        usage_hour,
        min(usage_source) as usage_source
    from counted
    group by 1, 2, 3, 4, 5, 7

)

select * from final
