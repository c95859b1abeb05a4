{#
  Usage of a closed period that landed after the period's watermark, or whose sender was
  attributed to the customer only after the close. Metered by the same plan as all usage;
  it says what came late, not what the period was short of: a late value below the
  maximum changes nothing.
#}
{%- set plan = metering_plan()
    | rejectattr('aggregation', 'equalto', 'SQL') | list %}
{%- set flat = event_properties() %}

with

late_events as (

    select * from {{ ref('late_events') }}

),

final as (

    {% for metric in plan -%}
    {% set last_metric = loop.last -%}
    {% for keys in metric.key_sets -%}
    select
        invoice_id,
        customer_id,
        {{ metered_keys(metric, keys, flat) }},
        usage_hour,
        {{ state_quantity(metric) }} as quantity,
        cast(count(*) as bigint) as event_count
    from late_events
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    group by 1, 2, 3, 4, 5, 6, 7
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {% endfor -%}
    {% else -%}
    {{ no_metered_rows('late_events', ['invoice_id', 'customer_id', 'usage_hour'], [
        'quantity', 'event_count',
    ]) }}
    {% endfor %}
)

select * from final
