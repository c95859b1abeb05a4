{#
  Composite products: a share of what their products cost, after discounts and maximums,
  within their own limits, as at the period's last instant; none without a line of those.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where not {{ is_at_list() }}

),

windows as (

    select * from {{ ref('entitled_windows') }}
    where product_type = 'COMPOSITE'

),

products as (

    select * from {{ ref('price_book_products') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}
    where price_model = 'percentage'

),

tiers as (

    select * from {{ ref('price_book_tiers') }}

),

line_charges as (

    select * from {{ ref('composable_charges') }}

),

composites as (

    select
        windows.period_id,
        windows.product_id,
        windows.step_start as share_starting_at,
        rates.rate_id,
        tiers.unit_price as composite_share,
        rates.minimum_amount,
        rates.maximum_amount,
        {{ to_amount('sum(line_charges.amount)') }} as composed_amount
    from windows
    inner join periods
        on
            windows.period_id = periods.period_id
            and windows.price_ending_before = periods.period_end
    inner join products as composite
        on
            windows.price_book = composite.price_book
            and windows.product_id = composite.product_id
            and windows.product_starting_at = composite.starting_at
    inner join rates
        on
            windows.price_book = rates.price_book
            and windows.rate_id = rates.rate_id
    inner join tiers
        on
            windows.price_book = tiers.price_book
            and windows.rate_id = tiers.rate_id
    inner join products as part
        on
            windows.price_book = part.price_book
            and {{ is_last_version('periods.period_end', 'part') }}
            and {{ is_part_of('part', 'composite') }}
    inner join line_charges
        on
            periods.invoice_id = line_charges.invoice_id
            and periods.rating_basis
            || case when rates.use_list_prices then '_at_list' else '' end
            = line_charges.rating_basis
            and part.product_id = line_charges.product_id
            and (not composite.exclude_free_usage or line_charges.amount <> 0)
    group by 1, 2, 3, 4, 5, 6, 7

),

final as (

    select
        {{ hash_id('il', [
            'periods.invoice_id', "'composite'", 'composites.product_id',
        ]) }} as line_id,
        composites.*,
        periods.invoice_id,
        periods.rating_basis,
        periods.currency,
        {{ to_amount(composite_amount()) }} as amount,
        {{ to_minor(composite_amount(), 'periods.minor_unit_factor') }} as amount_minor
    from composites
    inner join periods
        on composites.period_id = periods.period_id

)

select * from final
