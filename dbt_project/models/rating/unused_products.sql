{{ config(materialized='view') }}

{# An un-dimensioned product that the contract is entitled to shows a line even without
   usage; its only slice stands in the first rate window of the period. #}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

used_lines as (

    select distinct
        period_id,
        product_id
    from {{ ref('cut_usage') }}

),

windows as (

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
        quantity
    from windows
    where window_number = 1

)

select * from final
