{{ config(
    materialized=metering_materialization(),
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_metered_days() }}",
    post_hook="{{ remember_metered_build() }}",
) }}

{# An SQL metric is a model of the workspace; the price book names it only at run time. #}
{%- for model in var('metric_models') %}{% do ref(model) %}{% endfor %}
{%- set plan = metering_plan() %}
{%- set flat = event_properties() %}

with

events as (

    select * from {{ ref('attributed_events') }}
    where
        customer_id is not null
        and event_at < {{ as_of() }}
        and {{ in_usage_window('event_date') }}

),

{% for metric in plan -%}
{% set metric_number = loop.index -%}
{% for keys in metric.key_sets -%}
metered_{{ metric_number }}_{{ loop.index }} as (

    {% if metric.sql_model -%}
    select
        customer_id,
        '{{ metric.metric_id }}' as metric_id,
        '{{ keys.key_set }}' as key_set,
        {{ column_values_json(keys.pricing) }} as pricing_group_values,
        {{ column_values_json(keys.presentation) }} as presentation_group_values,
        {{ to_quantity('sum(quantity)') }} as quantity,
        cast(count(*) as bigint) as event_count,
        cast(0 as bigint) as first_metered_event_count,
        cast(usage_hour as date) as event_date,
        date_trunc('hour', usage_hour) as usage_hour
    from {{ ref(metric.sql_model) }}
    where
        usage_hour < {{ as_of() }}
        and {{ in_usage_window('cast(usage_hour as date)') }}
    group by 1, 2, 3, 4, 5, 9, 10
    {%- else -%}
    select
        events.customer_id,
        '{{ metric.metric_id }}' as metric_id,
        '{{ keys.key_set }}' as key_set,
        {{ group_values_json(keys.pricing, flat) }} as pricing_group_values,
        {{ group_values_json(keys.presentation, flat) }} as presentation_group_values,
        {{ to_quantity('sum(' ~ metric.value ~ ')') }} as quantity,
        cast(count(*) as bigint) as event_count,
        cast(
            {% if loop.first -%}
            sum(case when {{ is_metered_by(plan[:metric_number - 1]) }} then 0 else 1 end)
            {%- else -%}
            0
            {%- endif %} as bigint
        ) as first_metered_event_count,
        events.event_date,
        events.usage_hour
    from events
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    group by 1, 2, 3, 4, 5, 9, 10
    {%- endif %}

),

{% endfor -%}
{% endfor -%}

final as (

    {% for metric in plan -%}
    {% set metric_number = loop.index -%}
    {% set last_metric = loop.last -%}
    {% for keys in metric.key_sets -%}
    select * from metered_{{ metric_number }}_{{ loop.index }}
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {% endfor -%}
    {% else -%}
    select
        customer_id,
        cast(null as string) as metric_id,
        cast(null as string) as key_set,
        cast(null as string) as pricing_group_values,
        cast(null as string) as presentation_group_values,
        {{ to_quantity(0) }} as quantity,
        cast(0 as bigint) as event_count,
        cast(0 as bigint) as first_metered_event_count,
        event_date,
        usage_hour
    from events
    where 1 = 0
    {% endfor %}
)

select * from final
