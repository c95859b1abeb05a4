{{ config(materialized='view') }}

{# Usage of closed periods meets what its invoice charged, and the rates of the card as
   they were frozen when it closed. #}
with

metered_usage as (

    select * from {{ ref('metered_usage') }}

),

closed_invoices as (

    select
        invoices.invoice_id,
        invoices.customer_id,
        invoices.rate_card_id,
        invoices.period_start,
        invoices.period_end,
        closes.catalog_hash as price_book
    from {{ ref('stg_books__invoices') }} as invoices
    inner join {{ ref('stg_books__closes') }} as closes
        on invoices.close_id = closes.close_id
    where invoices.invoice_type = 'USAGE'

),

products as (

    select * from {{ ref('price_book_products') }}

),

rates as (

    select * from {{ ref('closed_rates') }}

),

card_products as (

    select distinct
        price_book,
        rate_card_id,
        product_id
    from {{ ref('price_book_rates') }}

),

charged as (

    select * from {{ ref('charged_usage') }}

),

final as (

    select
        closed_invoices.customer_id,
        products.product_id,
        metered_usage.metric_id,
        metered_usage.key_set,
        metered_usage.pricing_group_values,
        metered_usage.presentation_group_values,
        metered_usage.usage_hour,
        coalesce(charged.rate_id, rates.rate_id) as rate_id,
        -- By other keys the same usage met its price: it is judged there, not here.
        charged.rate_id is not null or metered_usage.key_set <> products.key_set
            as is_charged,
        {{ specificity('rates') }} as rate_says
    from metered_usage
    inner join closed_invoices
        on
            metered_usage.customer_id = closed_invoices.customer_id
            and metered_usage.usage_hour >= closed_invoices.period_start
            and metered_usage.usage_hour < closed_invoices.period_end
    inner join card_products
        on
            closed_invoices.price_book = card_products.price_book
            and closed_invoices.rate_card_id = card_products.rate_card_id
    inner join products
        on
            card_products.price_book = products.price_book
            and card_products.product_id = products.product_id
            and metered_usage.metric_id = products.metric_id
            and {{ is_in_window('metered_usage.usage_hour', 'products') }}
    left join charged
        on
            closed_invoices.invoice_id = charged.invoice_id
            and products.product_id = charged.product_id
            and metered_usage.pricing_group_values = charged.pricing_group_values
            and metered_usage.presentation_group_values
            = charged.presentation_group_values
            and metered_usage.usage_hour >= charged.slice_start
            and metered_usage.usage_hour < charged.slice_end
    left join rates
        on
            closed_invoices.price_book = rates.price_book
            and closed_invoices.rate_card_id = rates.rate_card_id
            and products.product_id = rates.product_id
            and metered_usage.key_set = products.key_set
            and metered_usage.pricing_group_values = rates.usage_group_values
            and {{ is_in_window('metered_usage.usage_hour', 'rates') }}

)

select * from final
