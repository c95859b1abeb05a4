{{ config(materialized=deep_view()) }}

{#
  What each hour adds to the period's quantity of a metric. SUM, COUNT and SQL metrics are
  taken as they were metered; the others are increments of the period's value.
#}
with

period_states as (

    select * from {{ ref('period_states') }}

),

{# The whole quantity in the last hour, even one that lies ahead; a row for each metered
   hour, so that none is missed. #}
whole_periods as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        quantity,
        {{ add_steps('period_end', -1) }} as usage_hour,
        usage_source
    from period_states
    where granularity = 'service_period'
    union all
    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        0 as quantity,
        usage_hour,
        usage_source
    from period_states
    where granularity = 'service_period'

),

increments as (

    select * from {{ ref('running_increments') }}
    union all
    select * from {{ ref('unique_increments') }}
    union all
    select * from {{ ref('level_increments') }}

),

final as (

    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        quantity,
        usage_hour,
        usage_source
    from period_states
    where is_additive
    union all
    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        {{ to_quantity('sum(quantity)') }} as quantity,
        usage_hour,
        usage_source
    from whole_periods
    group by 1, 2, 3, 4, 5, 7, 8
    union all
    select
        period_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        quantity,
        usage_hour,
        usage_source
    from increments

)

select * from final
