{{ config(materialized='view') }}

{#
  The values of UNIQUE metrics in each contract period, once per rating basis; of metrics
  that carry forward also those of before. At the watermark, the hours that late usage
  touched are taken as they were known.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

metrics as (

    select * from {{ ref('stg_catalog__billable_metrics') }}

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
        metered_value,
        usage_hour
    from {{ ref('metered_values') }}
    where usage_hour < {{ as_of() }}
    union all
    select
        invoice_id,
        customer_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        metered_value,
        usage_hour
    from {{ ref('known_values') }}

),

final as (

    select
        periods.period_id,
        metered.metric_id,
        metered.key_set,
        metered.pricing_group_values,
        metered.presentation_group_values,
        metered.metered_value,
        metered.usage_hour,
        periods.period_start
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
            and periods.invoice_id = late_hours.invoice_id
            and metered.usage_hour = late_hours.usage_hour
    where
        case
            when metered.invoice_id is null then late_hours.invoice_id is null
            else metered.invoice_id = late_hours.invoice_id
        end

)

select * from final
