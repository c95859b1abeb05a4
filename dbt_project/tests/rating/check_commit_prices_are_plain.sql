{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'grant_prices'}},
        'description': 'What commits pay at prices of their own is priced by units alone: flat or graduated, without discounts, limits, fees and flat amounts.',
    },
) }}

{#
  A discount or a limit acts on list prices; what a commit pays beside them would get
  none of it, or all. Its remedy: let the discount or limit leave these products out, or
  the commit pay list prices.
#}
with

priced_slices as (

    select distinct slice_id from {{ ref('grant_prices') }}

),

slices as (

    select rated_usage.*
    from {{ ref('rated_usage') }} as rated_usage
    inner join priced_slices
        on rated_usage.slice_id = priced_slices.slice_id
    where rated_usage.rating_basis = 'open'

),

rates as (

    select * from {{ ref('price_book_rates') }}
    where price_book = 'current'

),

minimums as (

    select * from {{ ref('minimum_scopes') }}

),

charges as (

    select * from {{ ref('slice_charges') }}

),

final as (

    select
        slices.line_id,
        slices.contract_id,
        slices.product_id,
        slices.rate_id,
        rates.price_model as reason
    from slices
    inner join rates
        on slices.rate_id = rates.rate_id
    where rates.price_model not in ('flat', 'graduated')
    union
    select
        slices.line_id,
        slices.contract_id,
        slices.product_id,
        slices.rate_id,
        charges.charge as reason
    from slices
    inner join charges
        on slices.slice_id = charges.slice_id
    where charges.charge not in ('unit', 'free')
    union
    select
        slices.line_id,
        slices.contract_id,
        slices.product_id,
        slices.rate_id,
        'minimum' as reason
    from slices
    inner join minimums
        on
            slices.period_id = minimums.period_id
            and slices.product_id = coalesce(minimums.product_id, slices.product_id)

)

select * from final
