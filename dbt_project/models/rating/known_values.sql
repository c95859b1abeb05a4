{# Values of UNIQUE metrics in the hours that late usage touched, as they were known at
   the close. #}
{%- set plan = metering_plan()
    | selectattr('aggregation', 'equalto', 'UNIQUE') | list %}
{%- set flat = event_properties() %}

with

known_events as (

    select * from {{ ref('known_events') }}

),

final as (

    {% for metric in plan -%}
    {% set last_metric = loop.last -%}
    {% for keys in metric.key_sets -%}
    select distinct
        invoice_id,
        customer_id,
        {{ metered_keys(metric, keys, flat) }},
        {{ metric.value }} as metered_value,
        event_date,
        usage_hour
    from known_events
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {% endfor -%}
    {% else -%}
    {{ no_metered_values('known_events', ['invoice_id', 'customer_id']) }}
    {% endfor %}
)

select * from final
