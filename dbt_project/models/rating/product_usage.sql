{{ config(materialized=deep_view()) }}

{# Usage of a period beside each product that may bill it: the version of the product in
   force in that hour says which metric and which keys it is billed by. #}
with

usage_by_period as (

    select * from {{ ref('usage_by_period') }}

),

period_products as (

    select * from {{ ref('period_products') }}

),

final as (

    select
        period_products.period_id,
        period_products.invoice_id,
        period_products.contract_id,
        period_products.customer_id,
        period_products.rate_card_id,
        period_products.rating_basis,
        period_products.price_book,
        period_products.currency,
        period_products.product_id,
        usage_by_period.metric_id,
        usage_by_period.key_set,
        usage_by_period.pricing_group_values,
        usage_by_period.presentation_group_values,
        usage_by_period.quantity,
        usage_by_period.usage_hour,
        usage_by_period.usage_source,
        period_products.starting_at as product_starting_at,
        period_products.ending_before as product_ending_before
    from usage_by_period
    inner join period_products
        on
            usage_by_period.period_id = period_products.period_id
            and usage_by_period.metric_id = period_products.metric_id
            and usage_by_period.key_set = period_products.key_set
            and {{ is_in_window('usage_by_period.usage_hour', 'period_products') }}

)

select * from final
