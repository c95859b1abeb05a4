{{ config(
    materialized=metering_materialization(),
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_metered_days() }}",
) }}

{#
  The values that UNIQUE metrics count: their number does not roll up, the values do. By
  the hour, because a period may begin or end within a day.
#}
{%- set plan = metering_plan()
    | selectattr('aggregation', 'equalto', 'UNIQUE') | list %}
{%- set flat = event_properties() %}

with

events as (

    select * from {{ ref('attributed_events') }}
    where
        customer_id is not null
        and event_at < {{ as_of() }}
        and {{ in_usage_window('event_date') }}

),

final as (

    {% for metric in plan -%}
    {% set last_metric = loop.last -%}
    {% for keys in metric.key_sets -%}
    select distinct
        customer_id,
        {{ metered_keys(metric, keys, flat) }},
        {{ metric.value }} as metered_value,
        event_date,
        usage_hour
    from events
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {% endfor -%}
    {% else -%}
    {{ no_metered_values('events', ['customer_id']) }}
    {% endfor %}
)

select * from final
