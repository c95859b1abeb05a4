{{ config(materialized=deep_view()) }}

{# The price windows of products without keys in each period, where entitled. #}
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

windows as (

    select
        periods.period_id,
        periods.price_book,
        contract_products.product_id,
        products.starting_at as product_starting_at,
        products.product_type,
        {{ chosen_rate('rate_windows', 'override_windows', 'periods') }},
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

final as (

    select * from windows
    where
        is_entitled
        and rate_id is not null
        and step_start < price_ending_before

)

select * from final
