{{ config(materialized='view') }}

{# What each minimum of a period is for: the contract, each of the products, or each
   line of the products that has usage while the minimum holds. #}
with

minimums as (

    select
        period_limits.*,
        periods.price_book
    from {{ ref('period_limits') }} as period_limits
    inner join {{ ref('billing_periods') }} as periods
        on period_limits.period_id = periods.period_id
    where period_limits.limit_type = 'minimum'

),

products as (

    select distinct
        price_book,
        product_id
    from {{ ref('price_book_products') }}

),

rated_usage as (

    select * from {{ ref('rated_usage') }}

),

final as (

    select
        period_id,
        limit_id,
        limit_scope,
        cast(null as string) as product_id,
        cast(null as string) as usage_line_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        amount,
        starting_at,
        ending_before
    from minimums
    where limit_scope = 'contract'
    union all
    select
        minimums.period_id,
        minimums.limit_id,
        minimums.limit_scope,
        products.product_id,
        cast(null as string) as usage_line_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        minimums.amount,
        minimums.starting_at,
        minimums.ending_before
    from minimums
    inner join products
        on
            minimums.price_book = products.price_book
            and {{ list_allows('minimums.product_ids', 'products.product_id') }}
    where minimums.limit_scope = 'product'
    union all
    select distinct
        minimums.period_id,
        minimums.limit_id,
        minimums.limit_scope,
        rated_usage.product_id,
        rated_usage.line_id as usage_line_id,
        rated_usage.pricing_group_values,
        rated_usage.presentation_group_values,
        minimums.amount,
        minimums.starting_at,
        minimums.ending_before
    from minimums
    inner join rated_usage
        on
            minimums.period_id = rated_usage.period_id
            and {{ is_in_window('rated_usage.slice_start', 'minimums') }}
            and {{ list_allows('minimums.product_ids', 'rated_usage.product_id') }}
    where minimums.limit_scope = 'group'

)

select * from final
