{{ config(materialized='view') }}

{# Which reduction is for which slice, and what its charges are added up with. #}
with

slices as (

    select * from {{ ref('usage_slices') }}

),

adjustments as (

    select * from {{ ref('period_adjustments') }}

),

products as (

    select * from {{ ref('price_book_products') }}

),

final as (

    select
        slices.slice_id,
        adjustments.adjustment_rank,
        adjustments.adjustment_id,
        adjustments.charge,
        adjustments.percentage,
        adjustments.adjustment_amount,
        adjustments.maximum_units,
        adjustments.maximum_amount,
        case
            -- Where the order does not matter a line counts alone: its amount is then
            -- the same to the last digit however the other lines are cut.
            when not adjustments.is_in_order_of_time then slices.line_id
            when adjustments.limit_scope = 'product' then slices.product_id
            else ''
        end as counted_in
    from adjustments
    inner join slices
        on
            adjustments.period_id = slices.period_id
            and {{ is_in_window('slices.slice_start', 'adjustments') }}
            and {{ list_allows('adjustments.product_ids', 'slices.product_id') }}
    inner join products
        on
            slices.price_book = products.price_book
            and slices.product_id = products.product_id
            and {{ is_in_window('slices.slice_start', 'products') }}
    where
        adjustments.product_tags is null
        or {{ list_has_all('products.tags', 'adjustments.product_tags') }}

)

select * from final
