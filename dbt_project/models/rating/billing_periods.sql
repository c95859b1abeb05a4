{#
  Open periods come from the contract and start where the last closed one ended; closed
  periods come from the books and are rated again only when late usage reached them. On a
  card with composites at list prices each is rated at those prices too.
#}
with

open_periods as (

    select * from {{ ref('open_billing_periods') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

price_books as (

    select distinct
        price_book,
        rate_card_id
    from {{ ref('price_book_rates') }}
    where use_list_prices

),

periods as (

    select * from open_periods
    union all
    select * from {{ ref('rerated_billing_periods') }}

),

unsettled_rollovers as (

    select * from {{ ref('unsettled_rollovers') }}

),

bases as (

    select
        *,
        rating_basis as period_basis
    from periods
    union all
    select
        *,
        rating_basis || '_at_list' as period_basis
    from periods
    where exists (
        select 1
        from price_books
        where
            periods.price_book = price_books.price_book
            and periods.rate_card_id = price_books.rate_card_id
    )

),

final as (

    select
        {{ hash_id('per', ['periods.invoice_id', 'periods.period_basis']) }}
            as period_id,
        periods.invoice_id,
        periods.contract_id,
        periods.customer_id,
        periods.rate_card_id,
        periods.billing_profile_id,
        periods.price_book,
        periods.period_basis as rating_basis,
        periods.late_usage_policy,
        periods.currency,
        currencies.minor_unit_factor,
        currencies.minor_unit,
        periods.net_payment_terms_days,
        periods.period_basis = 'open'
        and unsettled_rollovers.contract_id is null
        and {{ add_hours('periods.period_end', 'periods.grace_hours') }}
        <= {{ as_of() }} as is_closable,
        periods.period_start,
        periods.period_end,
        {{ add_hours('periods.period_end', 'periods.grace_hours') }} as closes_at
    from bases as periods
    inner join currencies
        on periods.currency = currencies.currency
    left join unsettled_rollovers
        on periods.contract_id = unsettled_rollovers.contract_id

)

select * from final
