{{ config(materialized=deep_view()) }}

{#
  Slices of products whose lines share free units or tiers, or whose free units are given
  anew each day of the customer's time zone. They are counted in the order of time; of
  slices that start together the group values decide, then the id.
#}
with

slices as (

    select * from {{ ref('usage_slices') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

scoped_products as (

    select * from {{ ref('scoped_products') }}

),

dated as (

    select
        slices.*,
        rates.free_units,
        coalesce(rates.free_events, 0) as free_events,
        rates.free_units_scope,
        rates.free_units_reset,
        rates.tier_scope,
        {{ counts_alone('rates.') }} as counts_alone,
        {{ local_date('slices.slice_start', "coalesce(customers.time_zone, 'UTC')") }}
            as usage_day
    from slices
    inner join scoped_products
        on
            slices.period_id = scoped_products.period_id
            and slices.product_id = scoped_products.product_id
    inner join rates
        on
            slices.price_book = rates.price_book
            and slices.rate_id = rates.rate_id
    inner join periods
        on slices.period_id = periods.period_id
    left join customers
        on periods.customer_id = customers.customer_id

),

counted as (

    select
        *,
        {{ running_in('line_id', "case when event_id <> '' then 1 else 0 end") }}
            as event_number,
        case
            when counts_alone then quantity_after
            when free_units_scope = 'line' and free_units_reset = 'period'
                then {{ running_in('line_id', 'quantity') }}
            when free_units_scope = 'line'
                then {{ running_in('line_id, usage_day', 'quantity') }}
            when free_units_reset = 'period'
                then {{ running_in('product_id', 'quantity') }}
            else {{ running_in('product_id, usage_day', 'quantity') }}
        end as allowance_after
    from dated

),

final as (

    select
        *,
        event_id <> '' and event_number <= free_events as is_free,
        case
            when event_id <> '' and event_number <= free_events then quantity
            else
                {{ free_part('allowance_after') }}
                - {{ free_part('allowance_after - quantity') }}
        end as free_quantity
    from counted

)

select * from final -- noqa: AM04
