{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'rated_usage'}},
        'description': 'Quantity metered for an entitled product in a contract period = quantity rated.',
    },
) }}

{#
  Law 2. Units that are not rated are given away; units that are rated twice are billed
  twice. What should be rated is found here without the windows that rating joins by:
  hour by hour, from the most specific rate that covers the hour and the override that
  was added last.
#}
{%- set hour_columns = [
    'period_id', 'price_book', 'rate_card_id', 'contract_id', 'product_id',
    'pricing_group_values', 'presentation_group_values', 'usage_hour', 'quantity',
] %}

with

usage_hours as (

    select
        usage_by_period.period_id,
        periods.price_book,
        periods.rate_card_id,
        periods.contract_id,
        products.product_id,
        usage_by_period.pricing_group_values,
        usage_by_period.presentation_group_values,
        usage_by_period.usage_hour,
        sum(usage_by_period.quantity) as quantity
    from {{ ref('usage_by_period') }} as usage_by_period
    inner join {{ ref('billing_periods') }} as periods
        on usage_by_period.period_id = periods.period_id
    inner join {{ ref('price_book_products') }} as products
        on
            periods.price_book = products.price_book
            and usage_by_period.metric_id = products.metric_id
            and usage_by_period.key_set = products.key_set
            and {{ is_in_window('usage_by_period.usage_hour', 'products') }}
    where periods.rating_basis in ('open', 'rerated_now')
    group by 1, 2, 3, 4, 5, 6, 7, 8

),

{# Odd = entitled, in the order of what decides. #}
by_rate as (

    select
        {{ prefixed(hour_columns, 'usage_hours.') }},
        max(
            rates.values_named * 2 + case when rates.is_entitled then 1 else 0 end
        ) as rate_says
    from usage_hours
    left join {{ ref('matched_rates') }} as rates
        on
            usage_hours.price_book = rates.price_book
            and usage_hours.rate_card_id = rates.rate_card_id
            and usage_hours.product_id = rates.product_id
            and usage_hours.pricing_group_values = rates.pricing_group_values
            and {{ is_in_window('usage_hours.usage_hour', 'rates') }}
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9

),

by_override as (

    select
        {{ prefixed(hour_columns, 'by_rate.') }},
        by_rate.rate_says,
        max(
            {{ epoch_micros('overrides.added_at') }} * 2
            + case when overrides.is_entitled then 1 else 0 end
        ) as override_says,
        max(case when overrides.override_type = 'overwrite' then 1 else 0 end)
            as overwrites
    from by_rate
    left join {{ ref('matched_overrides') }} as overrides
        on
            by_rate.price_book = overrides.price_book
            and by_rate.contract_id = overrides.contract_id
            and by_rate.product_id = overrides.product_id
            and by_rate.pricing_group_values = overrides.pricing_group_values
            and by_rate.presentation_group_values = overrides.presentation_group_values
            and overrides.is_entitled is not null
            and {{ is_in_window('by_rate.usage_hour', 'overrides') }}
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

),

entitled as (

    select
        period_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        sum(quantity) as quantity
    from by_override
    where
        coalesce(override_says, rate_says) % 2 = 1
        and (rate_says is not null or overwrites = 1)
    group by 1, 2, 3, 4

),

rated as (

    select
        period_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        sum(metered_quantity) as quantity
    from {{ ref('rated_usage') }}
    where rating_basis in ('open', 'rerated_now')
    group by 1, 2, 3, 4

),

final as (

    select
        coalesce(entitled.period_id, rated.period_id) as period_id,
        coalesce(entitled.product_id, rated.product_id) as product_id,
        coalesce(
            entitled.pricing_group_values, rated.pricing_group_values
        ) as pricing_group_values,
        coalesce(
            entitled.presentation_group_values, rated.presentation_group_values
        ) as presentation_group_values,
        coalesce(entitled.quantity, 0) as entitled_quantity,
        coalesce(rated.quantity, 0) as rated_quantity
    from entitled
    full outer join rated
        on
            entitled.period_id = rated.period_id
            and entitled.product_id = rated.product_id
            and entitled.pricing_group_values = rated.pricing_group_values
            and entitled.presentation_group_values = rated.presentation_group_values
    where coalesce(entitled.quantity, 0) <> coalesce(rated.quantity, 0)

)

select * from final
