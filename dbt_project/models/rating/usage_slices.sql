{#
  The pieces that are priced one after the other. Cut at days and rate boundaries; at
  hours only on a day on which one of the customer's grants starts or ends off midnight,
  so that a slice lies wholly inside or outside each access window.
#}
with

period_usage as (

    select * from {{ ref('period_usage') }}
    where is_entitled

),

periods as (

    select * from {{ ref('billing_periods') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

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

cut_usage as (

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

used_slices as (

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
    from cut_usage
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9

),

used_lines as (

    select distinct
        period_id,
        product_id
    from used_slices

),

{# An un-dimensioned product that the contract is entitled to shows a line even without
   usage; its first slice stands in the first rate window of the period. #}
unused_slices as (

    select
        periods.period_id,
        rates.product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        rates.rate_id,
        greatest(periods.period_start, rates.starting_at) as step_start,
        greatest(periods.period_start, rates.starting_at) as step_end,
        rates.starting_at as rate_starting_at,
        rates.ending_before as rate_ending_before,
        {{ to_quantity(0) }} as quantity,
        row_number() over (
            partition by periods.period_id, rates.product_id order by rates.starting_at
        ) as window_number
    from periods
    inner join rates
        on
            periods.price_book = rates.price_book
            and periods.rate_card_id = rates.rate_card_id
            and periods.period_end > rates.starting_at
            and (
                rates.ending_before is null
                or periods.period_start < rates.ending_before
            )
    inner join products
        on rates.product_id = products.product_id
    left join used_lines
        on
            periods.period_id = used_lines.period_id
            and rates.product_id = used_lines.product_id
    where
        rates.is_entitled
        and products.key_set = '/'
        and used_lines.product_id is null

),

all_slices as (

    select * from used_slices
    union all
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
        quantity
    from unused_slices
    where window_number = 1

),

placed as (

    select
        {{ hash_id('sl', [
            'all_slices.period_id', 'all_slices.product_id',
            'all_slices.pricing_group_values', 'all_slices.presentation_group_values',
            'all_slices.rate_id', 'cast(' ~ epoch_micros('all_slices.step_start') ~ ' as string)',
        ]) }} as slice_id,
        {{ hash_id('il', [
            'periods.invoice_id', "'usage'", 'all_slices.product_id',
            'all_slices.pricing_group_values', 'all_slices.presentation_group_values',
        ]) }} as line_id,
        all_slices.*,
        greatest(
            all_slices.step_start, all_slices.rate_starting_at, periods.period_start
        ) as slice_start,
        least(
            all_slices.step_end,
            coalesce(all_slices.rate_ending_before, all_slices.step_end),
            periods.period_end
        ) as slice_end
    from all_slices
    inner join periods
        on all_slices.period_id = periods.period_id

),

final as (

    select
        slice_id,
        line_id,
        period_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        rate_id,
        quantity,
        {{ to_quantity(running('quantity') ~ ' - quantity') }} as quantity_before,
        {{ to_quantity(running('quantity')) }} as quantity_after,
        slice_start,
        slice_end
    from placed

)

select * from final
