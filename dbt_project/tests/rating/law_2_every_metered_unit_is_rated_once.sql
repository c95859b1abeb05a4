{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'rated_usage'}},
        'description': 'Quantity metered for an entitled product in a contract period = quantity rated.',
    },
) }}

{#
  Law 2. Units that are not rated are given away; units that are rated twice are billed
  twice. What should be rated is found here without the joins that rating uses: a unit is
  entitled when some rate of the contract's card covers its hour.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis <> 'rerated_at_watermark'

),

rates as (

    select * from {{ ref('price_book_rates') }}
    where is_entitled

),

entitled as (

    select
        periods.period_id,
        products.product_id,
        metered_usage.pricing_group_values,
        metered_usage.presentation_group_values,
        sum(metered_usage.quantity) as quantity
    from {{ ref('metered_usage') }} as metered_usage
    inner join periods
        on
            metered_usage.customer_id = periods.customer_id
            and metered_usage.usage_hour >= periods.period_start
            and metered_usage.usage_hour < periods.period_end
            and metered_usage.usage_hour < {{ as_of() }}
    inner join {{ ref('stg_catalog__products') }} as products
        on
            metered_usage.metric_id = products.metric_id
            and metered_usage.key_set = products.key_set
    where
        exists (
            select 1
            from rates
            where
                periods.price_book = rates.price_book
                and periods.rate_card_id = rates.rate_card_id
                and products.product_id = rates.product_id
                and metered_usage.pricing_group_values = rates.pricing_group_values
                and metered_usage.usage_hour >= rates.starting_at
                and metered_usage.usage_hour
                < coalesce(rates.ending_before, cast('9999-12-31' as timestamp))
        )
    group by 1, 2, 3, 4

),

rated as (

    select
        period_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        sum(quantity) as quantity
    from {{ ref('rated_usage') }}
    where rating_basis <> 'rerated_at_watermark'
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
