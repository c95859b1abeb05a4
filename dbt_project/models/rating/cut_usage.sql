{#
  Entitled usage of each price, cut at days and at the windows of its price; at hours
  only where something starts or ends within a day: a grant of the customer, or free
  units that are given by the customer's own day.
#}
with

period_usage as (

    select * from {{ ref('period_usage') }}
    where
        is_entitled
        and rate_id is not null

),

daily_rates as (

    select
        price_book,
        rate_id
    from {{ ref('price_book_rates') }}
    where free_units_reset = 'day'

),

grants as (

    select
        customer_id,
        starting_at,
        ending_before
    from {{ ref('stg_catalog__commits') }}
    union all
    select
        customer_id,
        starting_at,
        ending_before
    from {{ ref('stg_catalog__credits') }}

),

hourly_days as (

    select distinct
        customer_id,
        cast(starting_at as date) as usage_date
    from grants
    where starting_at <> date_trunc('day', starting_at)
    union
    select distinct
        customer_id,
        cast(ending_before as date) as usage_date
    from grants
    where ending_before <> date_trunc('day', ending_before)

),

stepped as (

    select
        period_usage.*,
        case
            when hourly_days.usage_date is null and daily_rates.rate_id is null
                then cast(date_trunc('day', period_usage.usage_hour) as timestamp)
            else period_usage.usage_hour
        end as step_start,
        case
            when hourly_days.usage_date is null and daily_rates.rate_id is null
                then 24
            else 1
        end as step_hours
    from period_usage
    left join hourly_days
        on
            period_usage.customer_id = hourly_days.customer_id
            and cast(period_usage.usage_hour as date) = hourly_days.usage_date
    left join daily_rates
        on
            period_usage.price_book = daily_rates.price_book
            and period_usage.rate_id = daily_rates.rate_id

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
        {{ add_hours('step_start', 'step_hours') }} as step_end,
        price_starting_at,
        price_ending_before,
        {{ to_quantity('sum(quantity)') }} as quantity
    from stepped
    group by {{ range(1, 13) | join(', ') }}

)

select * from final
