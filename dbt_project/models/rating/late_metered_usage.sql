{#
  Usage of a closed period that landed after the period's watermark, or whose sender was
  attributed to the customer only after the close. Metered by the same plan as all usage.
#}
{%- set plan = metering_plan() %}

with

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

closes as (

    select * from {{ ref('stg_books__closes') }}

),

frozen_customer_refs as (

    select distinct
        catalog_hash,
        customer_ref,
        customer_id
    from {{ ref('stg_books__frozen_customer_refs') }}

),

events as (

    select * from {{ ref('attributed_events') }}
    where
        customer_id is not null
        and event_at < {{ as_of() }}
        {% if execute and not has_closes() -%}
        and 1 = 0
        {%- endif %}

),

late_events as (

    select
        events.*,
        closed_invoices.invoice_id
    from events
    inner join closed_invoices
        on
            events.customer_id = closed_invoices.customer_id
            and events.event_at >= closed_invoices.period_start
            and events.event_at < closed_invoices.period_end
    inner join closes
        on closed_invoices.close_id = closes.close_id
    left join frozen_customer_refs
        on
            closes.catalog_hash = frozen_customer_refs.catalog_hash
            and events.customer_ref = frozen_customer_refs.customer_ref
            and events.customer_id = frozen_customer_refs.customer_id
    where
        events.landing_sequence > closes.watermark
        or frozen_customer_refs.customer_ref is null

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
        {{ group_values_json(keys.pricing) }} as pricing_group_values,
        {{ group_values_json(keys.presentation) }} as presentation_group_values,
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
