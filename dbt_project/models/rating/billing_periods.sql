{#
  Open periods come from the contract and start where the last closed one ended; closed
  periods come from the books, and are rated again (at the old watermark and now) only
  when late usage reached them.
#}
with

open_periods as (

    select * from {{ ref('open_billing_periods') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

late_periods as (

    select distinct invoice_id from {{ ref('late_metered_usage') }}

),

closes as (

    select * from {{ ref('stg_books__closes') }}

),

bases as (

    select 'rerated_at_watermark' as rating_basis
    union all
    select 'rerated_now' as rating_basis

),

rerated_periods as (

    select
        closed_invoices.invoice_id,
        closed_invoices.contract_id,
        closed_invoices.customer_id,
        closed_invoices.rate_card_id,
        closed_invoices.billing_profile_id,
        closed_invoices.late_usage_policy,
        closed_invoices.net_payment_terms_days,
        0 as grace_hours,
        closed_invoices.currency,
        closes.catalog_hash as price_book,
        bases.rating_basis,
        closed_invoices.period_start,
        closed_invoices.period_end
    from closed_invoices
    inner join closes
        on closed_invoices.close_id = closes.close_id
    inner join late_periods
        on closed_invoices.invoice_id = late_periods.invoice_id
    cross join bases

),

periods as (

    select * from open_periods
    union all
    select * from rerated_periods

),

final as (

    select
        {{ hash_id('per', ['periods.invoice_id', 'periods.rating_basis']) }}
            as period_id,
        periods.invoice_id,
        periods.contract_id,
        periods.customer_id,
        periods.rate_card_id,
        periods.billing_profile_id,
        periods.price_book,
        periods.rating_basis,
        periods.late_usage_policy,
        periods.currency,
        currencies.minor_unit_factor,
        currencies.minor_unit,
        periods.net_payment_terms_days,
        periods.rating_basis = 'open'
        and {{ add_hours('periods.period_end', 'periods.grace_hours') }}
        <= {{ as_of() }} as is_closable,
        periods.period_start,
        periods.period_end,
        {{ add_hours('periods.period_end', 'periods.grace_hours') }} as closes_at
    from periods
    inner join currencies
        on periods.currency = currencies.currency

)

select * from final
