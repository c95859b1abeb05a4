{#
  Entitled usage of each price, cut at days and at the windows of its price; at hours
  only where that is not enough: on a day within which one of the customer's grants starts
  or ends, for free units of the customer's own day, and for lines that share free units
  or tiers in the order of time. Where a price looks at each event, an event is a piece.
#}
with

period_usage as (

    select * from {{ ref('period_usage') }}
    where
        is_entitled
        and rate_id is not null

),

priced_events as (

    select * from {{ ref('priced_events') }}

),

event_rates as (

    select * from {{ ref('price_book_rates') }}
    where {{ is_per_event() }}

),

scoped_products as (

    select * from {{ ref('scoped_products') }}

),

hourly_days as (

    select * from {{ ref('hourly_days') }}

),

stepped as (

    select
        period_usage.*,
        case
            when hourly_days.usage_date is null and scoped_products.product_id is null
                then cast(date_trunc('day', period_usage.usage_hour) as timestamp)
            else period_usage.usage_hour
        end as step_start,
        case
            when hourly_days.usage_date is null and scoped_products.product_id is null
                then 1440
            else {{ grain_minutes() }}
        end as step_minutes
    from period_usage
    left join hourly_days
        on
            period_usage.customer_id = hourly_days.customer_id
            and cast(period_usage.usage_hour as date) = hourly_days.usage_date
    left join scoped_products
        on
            period_usage.period_id = scoped_products.period_id
            and period_usage.product_id = scoped_products.product_id
    left join event_rates
        on
            period_usage.price_book = event_rates.price_book
            and period_usage.rate_id = event_rates.rate_id
    where event_rates.rate_id is null

),

final as (

    select
        period_id,
        price_book,
        product_id,
        product_starting_at,
        pricing_group_values,
        presentation_group_values,
        rate_id,
        override_id,
        step_start,
        {{ add_minutes('step_start', 'step_minutes') }} as step_end,
        price_starting_at,
        price_ending_before,
        {{ to_quantity('sum(quantity)') }} as quantity,
        '' as event_id,
        cast(null as {{ unit_price_type() }}) as event_price,
        cast(null as {{ amount_type() }}) as event_amount
    from stepped
    group by {{ range(1, 13) | join(', ') }}
    union all
    select * from priced_events

)

select * from final -- noqa: AM04
