{{ config(materialized='view') }}

{# By how much what grants pay at prices of their own is above (or, negative, below) the
   list prices of the same usage: one row a line and price. #}
with

drawdowns as (

    select * from {{ ref('credit_drawdowns') }}
    where amount_minor <> list_amount_minor

),

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where rating_basis = 'open'

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

final as (

    select
        rated_usage.line_id,
        rated_usage.rate_id,
        rated_usage.override_id,
        {{ from_minor(
            'sum(drawdowns.amount_minor - drawdowns.list_amount_minor)',
            'currencies.minor_unit'
        ) }} as amount,
        cast(
            sum(drawdowns.amount_minor - drawdowns.list_amount_minor) as bigint
        ) as amount_minor
    from drawdowns
    inner join rated_usage
        on drawdowns.slice_id = rated_usage.slice_id
    inner join currencies
        on drawdowns.currency = currencies.currency
    group by
        rated_usage.line_id,
        rated_usage.rate_id,
        rated_usage.override_id,
        currencies.minor_unit

)

select * from final
