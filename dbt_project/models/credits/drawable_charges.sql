{#
  Charges of open periods in the order in which a wallet pays them: planned close,
  contract, usage before composites, earlier start, higher unit price, product name,
  time. A composite is charged at the last instant of its period.
#}
with

charges as (

    select * from {{ ref('open_charges') }}
    where amount_minor > 0

),

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

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
    from charges
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
        charges.slice_id,
        charges.line_id,
        charges.line_type,
        charges.invoice_id,
        charges.contract_id,
        charges.customer_id,
        charges.product_id,
        charges.pricing_group_values,
        charges.presentation_group_values,
        charges.currency,
        charges.amount_minor,
        cast(
            row_number() over (
                partition by charges.customer_id, charges.currency
                order by
                    periods.closes_at asc,
                    charges.contract_id asc,
                    case when charges.line_type = 'usage' then 1 else 2 end asc,
                    coalesce(line_starts.line_start, periods.period_start) asc,
                    coalesce(line_prices.line_unit_price, 0) desc,
                    products.product_name asc,
                    charges.pricing_group_values asc,
                    charges.presentation_group_values asc,
                    charges.line_id asc,
                    charges.slice_start asc,
                    charges.slice_id asc
            ) as bigint
        ) as charge_rank,
        charges.slice_start,
        charges.slice_end,
        products.tags as product_tags
    from charges
    inner join periods
        on charges.invoice_id = periods.invoice_id
    inner join products
        on
            charges.product_id = products.product_id
            and {{ is_last_version('periods.period_end', 'products') }}
    inner join line_prices
        on charges.line_id = line_prices.line_id
    left join line_starts
        on charges.line_id = line_starts.line_id

)

select * from final
