{{ config(materialized=deep_view()) }}

{#
  Metered usage meets the contract period it belongs to, once per rating basis; of metrics
  that carry forward also what came before the period. At the watermark, the hours that
  late usage touched are taken as they were known.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

metrics as (

    select
        *,
        aggregation in ('COUNT', 'SUM', 'SQL')
        and granularity = 'hour'
        and not is_carried_forward as is_additive
    from {{ ref('stg_catalog__billable_metrics') }}

),

late_hours as (

    select * from {{ ref('late_hours') }}

),

metered as (

    select
        cast(null as string) as invoice_id,
        customer_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        quantity,
        level_change,
        event_count,
        usage_hour,
        'metered_usage' as usage_source
    from {{ ref('metered_usage') }}
    where usage_hour < {{ as_of() }}
    union all
    select
        invoice_id,
        customer_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        quantity,
        level_change,
        event_count,
        usage_hour,
        'known_usage' as usage_source
    from {{ ref('known_usage') }}

),

final as (

    select
        periods.period_id,
        metered.metric_id,
        metered.key_set,
        metered.pricing_group_values,
        metered.presentation_group_values,
        metered.quantity,
        metered.level_change,
        metered.event_count,
        metered.usage_hour,
        metered.usage_source,
        metrics.aggregation,
        metrics.granularity,
        metrics.is_additive,
        periods.period_start,
        periods.period_end
    from metered
    inner join metrics
        on metered.metric_id = metrics.metric_id
    inner join periods
        on
            metered.customer_id = periods.customer_id
            and metered.usage_hour < periods.period_end
            and (
                metered.usage_hour >= periods.period_start
                or metrics.is_carried_forward
            )
    left join late_hours
        on
            {{ is_at_watermark('periods.') }}
            and metrics.aggregation <> 'SQL'
            and periods.invoice_id = late_hours.invoice_id
            and metered.usage_hour = late_hours.usage_hour
    where
        case
            when metered.invoice_id is null then late_hours.invoice_id is null
            else metered.invoice_id = late_hours.invoice_id
        end

)

select * from final
