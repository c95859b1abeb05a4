{#
  Charges of open periods in the order in which a wallet pays them: planned close,
  contract, line order (earlier start, higher unit price, product name), time.
#}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where
        rating_basis = 'open'
        and amount_minor > 0

),

periods as (

    select * from {{ ref('billing_periods') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

applied_rates as (

    select * from {{ ref('applied_rates') }}
    where rating_basis = 'open'

),

line_prices as (

    select
        line_id,
        max(unit_price) as line_unit_price
    from rated_usage
    group by 1

),

{# A line starts where its first price does, not where its first usage happens. #}
line_starts as (

    select
        applied_rates.line_id,
        min(greatest(applied_rates.rate_starting_at, periods.period_start))
            as line_start
    from applied_rates
    inner join periods
        on applied_rates.period_id = periods.period_id
    group by 1

),

final as (

    select
        rated_usage.slice_id,
        rated_usage.line_id,
        rated_usage.invoice_id,
        rated_usage.contract_id,
        rated_usage.customer_id,
        rated_usage.product_id,
        rated_usage.currency,
        rated_usage.amount_minor,
        cast(
            row_number() over (
                partition by rated_usage.customer_id, rated_usage.currency
                order by
                    periods.closes_at asc,
                    rated_usage.contract_id asc,
                    line_starts.line_start asc,
                    line_prices.line_unit_price desc,
                    products.product_name asc,
                    rated_usage.line_id asc,
                    rated_usage.slice_start asc,
                    rated_usage.slice_id asc
            ) as bigint
        ) as charge_rank,
        rated_usage.slice_start,
        rated_usage.slice_end
    from rated_usage
    inner join periods
        on rated_usage.period_id = periods.period_id
    inner join products
        on
            rated_usage.product_id = products.product_id
            and {{ is_last_version('periods.period_end', 'products') }}
    inner join line_prices
        on rated_usage.line_id = line_prices.line_id
    inner join line_starts
        on rated_usage.line_id = line_starts.line_id

)

select * from final
