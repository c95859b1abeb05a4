{{ config(materialized='view') }}

{# Slices that some grant pays at a price of its own, cut where a step of any of their
   prices begins: within a piece every price is one price a unit. #}
with

grant_prices as (

    select * from {{ ref('grant_prices') }}

),

grant_price_steps as (

    select * from {{ ref('grant_price_steps') }}

),

list_steps as (

    select * from {{ ref('slice_steps') }}
    where slice_id in (select grant_prices.slice_id from grant_prices)

),

bounds as (

    select
        slice_id,
        tier_start
    from list_steps
    union
    select
        grant_prices.slice_id,
        grant_price_steps.tier_start
    from grant_prices
    inner join grant_price_steps
        on grant_prices.price_id = grant_price_steps.price_id

),

spans as (

    select
        slice_id,
        tier_start,
        lead(tier_start) over (partition by slice_id order by tier_start) as tier_end
    from bounds

),

final as (

    select
        spans.slice_id,
        spans.tier_start,
        spans.tier_end,
        list_steps.unit_price,
        list_steps.billable_before,
        list_steps.billable_after
    from spans
    inner join list_steps
        on
            spans.slice_id = list_steps.slice_id
            and {{ begins_in_step('spans.tier_start', 'list_steps') }}

)

select * from final
