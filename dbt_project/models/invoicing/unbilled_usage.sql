{#
  Usage that reached no line, with one named reason: per metric and hour where it was
  metered, per event type where it could not be.
#}
with

metered_usage as (

    select * from {{ ref('metered_usage') }}

),

period_usage as (

    select * from {{ ref('period_usage') }}

),

period_spans as (

    select
        customer_id,
        period_start,
        period_end,
        'open' as period_state
    from {{ ref('billing_periods') }}
    where rating_basis = 'open'
    union all
    select
        customer_id,
        period_start,
        period_end,
        'closed' as period_state
    from {{ ref('stg_books__invoices') }}

),

explained as (

    select
        metered_usage.customer_id,
        cast(null as string) as event_type,
        metered_usage.metric_id,
        metered_usage.key_set,
        own.product_id,
        metered_usage.pricing_group_values,
        metered_usage.presentation_group_values,
        metered_usage.usage_hour,
        metered_usage.quantity,
        metered_usage.event_count,
        case
            when period_spans.period_state is null then 'no_contract'
            when period_spans.period_state = 'closed' then null
            when own.is_entitled then null
            when own.product_id is null then 'no_product'
            when own.rate_id is null then 'no_rate'
            else 'not_entitled'
        end as reason
    from metered_usage
    left join period_spans
        on
            metered_usage.customer_id = period_spans.customer_id
            and metered_usage.usage_hour >= period_spans.period_start
            and metered_usage.usage_hour < period_spans.period_end
    left join period_usage as own
        on
            own.rating_basis = 'open'
            and metered_usage.customer_id = own.customer_id
            and metered_usage.metric_id = own.metric_id
            and metered_usage.key_set = own.key_set
            and metered_usage.pricing_group_values = own.pricing_group_values
            and metered_usage.presentation_group_values = own.presentation_group_values
            and metered_usage.usage_hour = own.usage_hour

),

unmetered as (

    select
        customer_ref as customer_id,
        event_type,
        cast(null as string) as metric_id,
        cast(null as string) as key_set,
        cast(null as string) as product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        cast(date_trunc('hour', event_at) as timestamp) as usage_hour,
        {{ to_quantity(0) }} as quantity,
        cast(count(*) as bigint) as event_count,
        reason
    from {{ ref('unmetered_events') }}
    group by 1, 2, 8, 11

),

final as (

    select * from explained
    where reason is not null
    union all
    select * from unmetered

)

select * from final
