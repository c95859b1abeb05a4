{{ config(materialized='view') }}

{# Products of a period whose lines share free units or tiers, or whose free units are
   given by the day or the event: they are counted in the order of time. #}
with

period_usage as (

    select * from {{ ref('period_usage') }}
    where
        is_entitled
        and rate_id is not null

),

scoped_rates as (

    select * from {{ ref('price_book_rates') }}
    where not {{ counts_alone() }}

),

final as (

    select distinct
        period_usage.period_id,
        period_usage.product_id
    from period_usage
    inner join scoped_rates
        on
            period_usage.price_book = scoped_rates.price_book
            and period_usage.rate_id = scoped_rates.rate_id

)

select * from final
