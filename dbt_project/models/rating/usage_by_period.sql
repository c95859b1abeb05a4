{{ config(materialized='view') }}

{# Metered usage meets the contract period it belongs to, once per rating basis. #}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

metered_usage as (

    select * from {{ ref('metered_usage') }}
    where usage_hour < {{ as_of() }}

),

late_metered_usage as (

    select * from {{ ref('late_metered_usage') }}

),

final as (

    select
        periods.period_id,
        metered_usage.metric_id,
        metered_usage.key_set,
        metered_usage.pricing_group_values,
        metered_usage.presentation_group_values,
        metered_usage.quantity,
        metered_usage.usage_hour,
        'metered_usage' as usage_source
    from metered_usage
    inner join periods
        on
            metered_usage.customer_id = periods.customer_id
            and metered_usage.usage_hour >= periods.period_start
            and metered_usage.usage_hour < periods.period_end
    union all
    -- What had been known at the close = what is known now - what came late.
    select
        periods.period_id,
        late_metered_usage.metric_id,
        late_metered_usage.key_set,
        late_metered_usage.pricing_group_values,
        late_metered_usage.presentation_group_values,
        {{ to_quantity('-late_metered_usage.quantity') }} as quantity,
        late_metered_usage.usage_hour,
        'late_metered_usage' as usage_source
    from late_metered_usage
    inner join periods
        on late_metered_usage.invoice_id = periods.invoice_id
    where periods.rating_basis = 'rerated_at_watermark'

)

select * from final
