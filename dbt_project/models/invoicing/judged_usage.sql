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
        coalesce(is_entitled and rate_id is not null, false) as is_charged,
        cast(null as integer) as rate_says
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
        is_charged,
        rate_says
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
        max(case when is_charged then 1 else 0 end) = 1
        -- Odd = the rate that names most values is entitled.
        or coalesce(max(rate_says) % 2 = 1, false) as is_billed
    from usage_of_contracts
    group by 1, 2, 3, 4, 5, 6, 7

)

select * from final
