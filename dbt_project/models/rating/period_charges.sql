{{ config(materialized='view') }}

{# What minimums count: usage after discounts and maximums, and subscriptions and
   composites, which are charged at the last instant of their period. #}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}

),

charges_in_arrears as (

    select
        period_id,
        product_id,
        line_id,
        amount
    from {{ ref('composite_charges') }}
    union all
    select
        period_id,
        product_id,
        line_id,
        amount
    from {{ ref('subscription_charges') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

final as (

    select
        period_id,
        product_id,
        line_id,
        slice_start as charged_at,
        amount
    from rated_usage
    union all
    select
        charges_in_arrears.period_id,
        charges_in_arrears.product_id,
        charges_in_arrears.line_id,
        {{ add_seconds('periods.period_end', -1) }} as charged_at,
        charges_in_arrears.amount
    from charges_in_arrears
    inner join periods
        on charges_in_arrears.period_id = periods.period_id

)

select * from final
