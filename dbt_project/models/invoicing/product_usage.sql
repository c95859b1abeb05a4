{{ config(materialized='view') }}

{# Metered usage and the products that take it, over all contracts of the customer:
   what one of them bills is billed. #}
with

open_usage as (

    select
        customer_id,
        product_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        usage_hour,
        rate_id,
        is_entitled as is_billed
    from {{ ref('period_usage') }}
    where rating_basis = 'open'

),

closed_usage as (

    select
        customer_id,
        product_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        usage_hour,
        rate_id,
        is_billed
    from {{ ref('closed_period_usage') }}

),

usage_of_contracts as (

    select * from open_usage
    union all
    select * from closed_usage

),

final as (

    select
        customer_id,
        product_id,
        metric_id,
        key_set,
        pricing_group_values,
        presentation_group_values,
        usage_hour,
        count(rate_id) > 0 as has_rate,
        max(case when is_billed then 1 else 0 end) = 1 as is_billed
    from usage_of_contracts
    group by 1, 2, 3, 4, 5, 6, 7

)

select * from final
