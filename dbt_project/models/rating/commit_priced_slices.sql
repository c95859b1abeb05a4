{{ config(materialized='view') }}

{# Open usage in money of the contracts where some grant may pay another price than the
   list price, with the card's own rate, under whatever override. #}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where
        rating_basis = 'open'
        and pricing_unit_id is null

),

contracts as (

    select * from {{ ref('commit_priced_contracts') }}

),

commit_rates as (

    select distinct rate_id from {{ ref('commit_price_steps') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

rate_windows as (

    select * from {{ ref('rate_windows') }}

),

products as (

    select * from {{ ref('price_book_products') }}

),

final as (

    select
        rated_usage.slice_id,
        rated_usage.line_id,
        rated_usage.period_id,
        rated_usage.contract_id,
        rated_usage.product_id,
        products.tags as product_tags,
        rated_usage.pricing_group_values,
        rated_usage.presentation_group_values,
        rate_windows.rate_id as card_rate_id,
        commit_rates.rate_id is not null as has_commit_rate,
        periods.minor_unit_factor,
        rated_usage.amount,
        rated_usage.amount_minor,
        {{ to_amount(
            running('rated_usage.amount', 'rated_usage.') ~ ' - rated_usage.amount'
        ) }} as amount_before,
        rated_usage.slice_start
    from rated_usage
    inner join contracts
        on rated_usage.contract_id = contracts.contract_id
    inner join periods
        on rated_usage.period_id = periods.period_id
    inner join products
        on
            periods.price_book = products.price_book
            and rated_usage.product_id = products.product_id
            and {{ is_in_window('rated_usage.slice_start', 'products') }}
    inner join rate_windows
        on
            periods.price_book = rate_windows.price_book
            and periods.rate_card_id = rate_windows.rate_card_id
            and rated_usage.product_id = rate_windows.product_id
            and rated_usage.pricing_group_values = rate_windows.pricing_group_values
            and {{ is_in_window('rated_usage.slice_start', 'rate_windows') }}
    left join commit_rates
        on rate_windows.rate_id = commit_rates.rate_id

)

select * from final
