{#
  Usage that reached no line of any contract, open or closed, with one named reason: per
  metric and hour where it was metered, per event type where it could not be.
#}
with

metered_usage as (

    select * from {{ ref('metered_usage') }}

),

judged_usage as (

    select * from {{ ref('judged_usage') }}

),

contract_hours as (

    select * from {{ ref('contract_hours') }}

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
            when contract_hours.customer_id is null then 'no_contract'
            when own.product_id is null then 'no_product'
            when not own.has_rate then 'no_rate'
            else 'not_entitled'
        end as reason
    from metered_usage
    left join contract_hours
        on
            metered_usage.customer_id = contract_hours.customer_id
            and metered_usage.usage_hour = contract_hours.usage_hour
    left join judged_usage as own
        on
            metered_usage.customer_id = own.customer_id
            and metered_usage.metric_id = own.metric_id
            and metered_usage.key_set = own.key_set
            and metered_usage.pricing_group_values = own.pricing_group_values
            and metered_usage.presentation_group_values = own.presentation_group_values
            and metered_usage.usage_hour = own.usage_hour
    where own.is_billed is null or not own.is_billed

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
        {{ usage_step('event_at') }} as usage_hour,
        {{ to_quantity(0) }} as quantity,
        cast(count(*) as bigint) as event_count,
        reason
    from {{ ref('unmetered_events') }}
    group by 1, 2, 8, 11

),

final as (

    select * from explained
    union all
    select * from unmetered

)

select * from final
