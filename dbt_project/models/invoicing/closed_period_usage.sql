{{ config(materialized='view') }}

{# Usage of closed periods meets the prices that were frozen when its invoice closed. #}
with

metered_usage as (

    select * from {{ ref('metered_usage') }}

),

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

closes as (

    select * from {{ ref('stg_books__closes') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

frozen_rates as (

    select distinct
        catalog_hash,
        rate_id,
        rate_card_id,
        product_id,
        pricing_group_values,
        is_entitled,
        starting_at,
        ending_before
    from {{ ref('stg_books__frozen_rates') }}

),

card_products as (

    select distinct
        catalog_hash,
        rate_card_id,
        product_id
    from frozen_rates

),

final as (

    select
        closed_invoices.invoice_id,
        closed_invoices.customer_id,
        products.product_id,
        metered_usage.metric_id,
        metered_usage.key_set,
        metered_usage.pricing_group_values,
        metered_usage.presentation_group_values,
        metered_usage.usage_hour,
        frozen_rates.rate_id,
        -- By other keys the same usage met its price: it is judged there, not here.
        coalesce(
            frozen_rates.is_entitled, metered_usage.key_set <> products.key_set
        ) as is_billed
    from metered_usage
    inner join closed_invoices
        on
            metered_usage.customer_id = closed_invoices.customer_id
            and metered_usage.usage_hour >= closed_invoices.period_start
            and metered_usage.usage_hour < closed_invoices.period_end
    inner join closes
        on closed_invoices.close_id = closes.close_id
    inner join card_products
        on
            closes.catalog_hash = card_products.catalog_hash
            and closed_invoices.rate_card_id = card_products.rate_card_id
    inner join products
        on
            card_products.product_id = products.product_id
            and metered_usage.metric_id = products.metric_id
    left join frozen_rates
        on
            closes.catalog_hash = frozen_rates.catalog_hash
            and closed_invoices.rate_card_id = frozen_rates.rate_card_id
            and products.product_id = frozen_rates.product_id
            and metered_usage.key_set = products.key_set
            and metered_usage.pricing_group_values = frozen_rates.pricing_group_values
            and metered_usage.usage_hour >= frozen_rates.starting_at
            and (
                frozen_rates.ending_before is null
                or metered_usage.usage_hour < frozen_rates.ending_before
            )

)

select * from final
