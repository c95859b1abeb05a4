{{ config(materialized='view') }}

{# What minimums count: usage after discounts and maximums, and composites, which are
   charged at the last instant of their period. #}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}

),

composite_charges as (

    select * from {{ ref('composite_charges') }}

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
        composite_charges.period_id,
        composite_charges.product_id,
        composite_charges.line_id,
        {{ add_seconds('periods.period_end', -1) }} as charged_at,
        composite_charges.amount
    from composite_charges
    inner join periods
        on composite_charges.period_id = periods.period_id

)

select * from final
