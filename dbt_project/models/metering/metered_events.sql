{{ config(
    materialized=metering_materialization(),
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_metered_days() }}",
    post_hook="{{ remember_metered_build() }}",
) }}

{# Events of metrics that some price looks at one by one: fees, limits, free events, and
   prices that the event itself carries. All other usage is kept by the hour alone. #}
{%- set plan = event_plan(metering_plan()) %}
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

    {% for entry in plan -%}
    select
        cast(landing_sequence as string) || '/' || cast(landing_row as string)
            as event_id,
        landing_sequence,
        landing_row,
        transaction_id,
        customer_id,
        {{ metered_keys(entry.metric, entry.groups, flat) }},
        '{{ entry.price_property }}' as price_property,
        '{{ entry.amount_property }}' as amount_property,
        {{ entry.metric.value }} as quantity,
        {{ carried_price(entry.price_property, flat) }} as event_price,
        {{ carried_amount(entry.amount_property, flat) }} as event_amount,
        event_date,
        usage_hour,
        event_at
    from events
    where
        {{ entry.metric.predicate }}
        and {{ entry.metric.value }} is not null
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% else -%}
    select
        '' as event_id,
        landing_sequence,
        landing_row,
        transaction_id,
        customer_id,
        cast(null as string) as metric_id,
        cast(null as string) as key_set,
        cast(null as string) as pricing_group_values,
        cast(null as string) as presentation_group_values,
        '' as price_property,
        '' as amount_property,
        {{ to_quantity(0) }} as quantity,
        cast(null as {{ unit_price_type() }}) as event_price,
        cast(null as {{ amount_type() }}) as event_amount,
        event_date,
        usage_hour,
        event_at
    from events
    where 1 = 0
    {% endfor %}
)

select * from final
