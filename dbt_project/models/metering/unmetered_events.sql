{{ config(
    materialized=metering_materialization(),
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_metered_days() }}",
    post_hook="{{ remember_metered_build() }}",
) }}
{%- set plan = metering_plan() %}

with

events as (

    select * from {{ ref('attributed_events') }}
    where {{ in_usage_window('event_date') }}

),

explained as (

    select
        landing_sequence,
        landing_row,
        transaction_id,
        customer_ref,
        customer_id,
        event_type,
        source_file,
        case
            when event_at >= {{ as_of() }} then 'after_as_of'
            when customer_id is null then 'unknown_customer'
            when {{ is_metered_by(plan) }} then 'metered'
            {% for metric in plan if value_refusal(metric) -%}
            when {{ metric.predicate }} then '{{ value_refusal(metric).reason }}'
            {% endfor -%}
            else 'no_metric'
        end as reason,
        event_date,
        event_at
    from events

),

final as (

    select * from explained
    where reason <> 'metered'

)

select * from final
