{{ config(
    materialized=metering_materialization(),
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_rejections() }}",
    post_hook="{{ remember_metered_build() }}",
) }}
{%- set plan = metering_plan() %}

with

events as (

    select * from {{ ref('attributed_events') }}
    where
        event_at < {{ as_of() }}
        and customer_id is not null
        and {{ in_usage_window('event_date') }}

),

rejects as (

    select * from {{ ref('stg_usage__rejects') }}

),

landing_rejections as (

    select
        landing_sequence,
        landing_row,
        source_file,
        cast(null as string) as transaction_id,
        cast(null as string) as metric_id,
        'landing' as rejected_at_stage,
        field,
        reason,
        remedy,
        raw,
        cast(landed_at as date) as rejection_date
    from rejects

),

{% for metric in plan if value_refusal(metric) -%}
rejections_{{ loop.index }} as (

    select
        landing_sequence,
        landing_row,
        source_file,
        transaction_id,
        '{{ metric.metric_id }}' as metric_id,
        'metering' as rejected_at_stage,
        'properties' as field,
        '{{ value_refusal(metric).reason }}' as reason,
        {{ text_literal(value_refusal(metric).remedy) }} as remedy,
        properties as raw,
        event_date as rejection_date
    from events
    where
        {{ metric.predicate }}
        and {{ metric.value }} is null

),

{% endfor -%}

final as (

    select * from landing_rejections
    {% for metric in plan if value_refusal(metric) %}
    union all
    select * from rejections_{{ loop.index }}
    {% endfor %}
)

select * from final
