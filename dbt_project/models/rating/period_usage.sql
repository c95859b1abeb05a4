{#
  Usage of a period meets the product and rate that price it. A row without a rate, or with a rate that is not entitled, reaches no line:
  `unbilled_usage` names the reason.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

usage_by_period as (

    select * from {{ ref('usage_by_period') }}

),

card_products as (

    select distinct
        price_book,
        rate_card_id,
        product_id
    from rates

),

final as (

    select
        periods.period_id,
        periods.invoice_id,
        periods.contract_id,
        periods.customer_id,
        periods.rating_basis,
        periods.price_book,
        periods.currency,
        products.product_id,
        usage_by_period.metric_id,
        usage_by_period.key_set,
        usage_by_period.pricing_group_values,
        usage_by_period.presentation_group_values,
        rates.rate_id,
        rates.price_model,
        rates.is_entitled,
        usage_by_period.quantity,
        usage_by_period.usage_hour,
        usage_by_period.usage_source,
        rates.starting_at as rate_starting_at,
        rates.ending_before as rate_ending_before
    from usage_by_period
    inner join periods
        on usage_by_period.period_id = periods.period_id
    inner join card_products
        on
            periods.price_book = card_products.price_book
            and periods.rate_card_id = card_products.rate_card_id
    inner join products
        on
            card_products.product_id = products.product_id
            and usage_by_period.metric_id = products.metric_id
            and usage_by_period.key_set = products.key_set
    left join rates
        on
            periods.price_book = rates.price_book
            and periods.rate_card_id = rates.rate_card_id
            and products.product_id = rates.product_id
            and usage_by_period.pricing_group_values = rates.pricing_group_values
            and usage_by_period.usage_hour >= rates.starting_at
            and (
                rates.ending_before is null
                or usage_by_period.usage_hour < rates.ending_before
            )

)

select * from final
