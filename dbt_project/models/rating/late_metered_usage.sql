{#
  Usage of a closed period that landed after the period's watermark, or whose sender was
  attributed to the customer only after the close. Metered by the same plan as all usage.
#}
{%- set plan = metering_plan() %}
{%- set flat = event_properties() %}

with

late_events as (

    select * from {{ ref('late_events') }}

),

{% for metric in plan -%}
{% set metric_number = loop.index -%}
{% for keys in metric.key_sets -%}
late_{{ metric_number }}_{{ loop.index }} as (

    select
        late_events.invoice_id,
        late_events.customer_id,
        '{{ metric.metric_id }}' as metric_id,
        '{{ keys.key_set }}' as key_set,
        {{ group_values_json(keys.pricing, flat) }} as pricing_group_values,
        {{ group_values_json(keys.presentation, flat) }} as presentation_group_values,
        {{ to_quantity('sum(' ~ metric.value ~ ')') }} as quantity,
        cast(count(*) as bigint) as event_count,
        late_events.usage_hour
    from late_events
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    group by 1, 2, 3, 4, 5, 6, 9

),

{% endfor -%}
{% endfor -%}

final as (

    {% for metric in plan -%}
    {% set metric_number = loop.index -%}
    {% set last_metric = loop.last -%}
    {% for keys in metric.key_sets -%}
    select * from late_{{ metric_number }}_{{ loop.index }}
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {% endfor -%}
    {% else -%}
    select
        invoice_id,
        customer_id,
        cast(null as string) as metric_id,
        cast(null as string) as key_set,
        cast(null as string) as pricing_group_values,
        cast(null as string) as presentation_group_values,
        {{ to_quantity(0) }} as quantity,
        cast(0 as bigint) as event_count,
        usage_hour
    from late_events
    where 1 = 0
    {% endfor %}
)

select * from final
