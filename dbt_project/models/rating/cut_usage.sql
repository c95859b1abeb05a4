{#
  Entitled usage of each price, cut at days and rate boundaries; at hours only on a day
  on which one of the customer's grants starts or ends off midnight, so that a slice lies
  wholly inside or outside each access window.
#}
with

period_usage as (

    select * from {{ ref('period_usage') }}
    where is_entitled

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
            when hourly_days.usage_date is not null then period_usage.usage_hour
            else cast(date_trunc('day', period_usage.usage_hour) as timestamp)
        end as step_start,
        {{ add_hours(
            "case when hourly_days.usage_date is not null then period_usage.usage_hour"
            ~ " else cast(date_trunc('day', period_usage.usage_hour) as timestamp) end",
            "case when hourly_days.usage_date is not null then 1 else 24 end"
        ) }} as step_end
    from period_usage
    left join hourly_days
        on
            period_usage.customer_id = hourly_days.customer_id
            and cast(period_usage.usage_hour as date) = hourly_days.usage_date

),

final as (

    select
        period_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        rate_id,
        step_start,
        step_end,
        rate_starting_at,
        rate_ending_before,
        {{ to_quantity('sum(quantity)') }} as quantity
    from stepped
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9

)

select * from final
