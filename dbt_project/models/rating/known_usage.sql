{#
  The hours that late usage touched, metered again as they were known at the close. All
  other hours of a closed period stand in `metered_usage` as they were.
#}
{%- set plan = metering_plan()
    | rejectattr('aggregation', 'equalto', 'SQL') | list %}
{%- set flat = event_properties() %}

with

known_events as (

    select * from {{ ref('known_events') }}

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
        {{ state_level_change(metric) }} as level_change,
        cast(count(*) as bigint) as event_count
    from known_events
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    group by 1, 2, 3, 4, 5, 6, 7
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {% endfor -%}
    {% else -%}
    {{ no_metered_rows('known_events', ['invoice_id', 'customer_id', 'usage_hour'], [
        'quantity', 'level_change', 'event_count',
    ]) }}
    {% endfor %}
)

select * from final
