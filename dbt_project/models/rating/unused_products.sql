{{ config(materialized='view') }}

{# An un-dimensioned product that the contract is entitled to shows a line even without
   usage; its only slice stands in the first entitled price window of the period. #}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

contract_products as (

    select * from {{ ref('contract_products') }}

),

products as (

    select * from {{ ref('price_book_products') }}
    where key_set = '/'

),

rate_windows as (

    select * from {{ ref('rate_windows') }}
    where pricing_group_values = '{}'

),

override_windows as (

    select * from {{ ref('override_windows') }}
    where
        pricing_group_values = '{}'
        and presentation_group_values = '{}'

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
        periods.price_book,
        contract_products.product_id,
        products.starting_at as product_starting_at,
        {{ chosen_rate('rate_windows', 'override_windows') }},
        greatest(
            periods.period_start,
            products.starting_at,
            rate_windows.starting_at,
            coalesce(override_windows.starting_at, rate_windows.starting_at)
        ) as step_start,
        {{ earlier_end(
            earlier_end('products.ending_before', 'rate_windows.ending_before'),
            earlier_end('override_windows.ending_before', 'periods.period_end')
        ) }} as price_ending_before
    from periods
    inner join contract_products
        on periods.period_id = contract_products.period_id
    inner join products
        on
            periods.price_book = products.price_book
            and contract_products.product_id = products.product_id
    inner join rate_windows
        on
            periods.price_book = rate_windows.price_book
            and periods.rate_card_id = rate_windows.rate_card_id
            and contract_products.product_id = rate_windows.product_id
    left join override_windows
        on
            periods.price_book = override_windows.price_book
            and periods.contract_id = override_windows.contract_id
            and contract_products.product_id = override_windows.product_id

),

first_windows as (

    select
        windows.*,
        row_number() over (
            partition by windows.period_id, windows.product_id
            order by windows.step_start
        ) as window_number
    from windows
    left join used_lines
        on
            windows.period_id = used_lines.period_id
            and windows.product_id = used_lines.product_id
    where
        used_lines.product_id is null
        and windows.is_entitled
        and windows.rate_id is not null
        and windows.step_start < windows.price_ending_before

),

final as (

    select
        period_id,
        price_book,
        product_id,
        product_starting_at,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        rate_id,
        override_id,
        step_start,
        step_start as step_end,
        step_start as price_starting_at,
        price_ending_before,
        {{ to_quantity(0) }} as quantity
    from first_windows
    where window_number = 1

)

select * from final
