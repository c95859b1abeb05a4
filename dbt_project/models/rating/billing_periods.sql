{#
  Open periods come from the contract and start where the last closed one ended; closed
  periods come from the books, and are rated again (at the old watermark and now) only
  when late usage reached them.
#}
with

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

rate_cards as (

    select * from {{ ref('stg_catalog__rate_cards') }}

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

last_closed as (

    select
        contract_id,
        max(period_end) as closed_until
    from closed_invoices
    group by 1

),

boundaries as (

    select
        contracts.contract_id,
        {{ add_months(
            "case when contracts.billing_day = 'CONTRACT_START' then contracts.starting_at"
            ~ " else cast(date_trunc('month', contracts.starting_at) as timestamp) end",
            'series.period_number'
        ) }} as anchor_start,
        {{ add_months(
            "case when contracts.billing_day = 'CONTRACT_START' then contracts.starting_at"
            ~ " else cast(date_trunc('month', contracts.starting_at) as timestamp) end",
            'series.period_number + 1'
        ) }} as anchor_end
    from contracts
    -- 1,200 months: a contract older than a century is a typing error.
    cross join range(0, 1200) as series (period_number)
    where
        {{ add_months(
            "cast(date_trunc('month', contracts.starting_at) as timestamp)",
            'series.period_number'
        ) }} <= {{ as_of() }}

),

open_periods as (

    select
        contracts.contract_id,
        contracts.customer_id,
        contracts.rate_card_id,
        contracts.billing_profile_id,
        contracts.late_usage_policy,
        contracts.net_payment_terms_days,
        contracts.grace_hours,
        rate_cards.currency,
        'current' as price_book,
        'open' as rating_basis,
        greatest(
            boundaries.anchor_start,
            contracts.starting_at,
            coalesce(last_closed.closed_until, contracts.starting_at)
        ) as period_start,
        least(
            boundaries.anchor_end,
            coalesce(contracts.ending_before, boundaries.anchor_end)
        ) as period_end
    from boundaries
    inner join contracts
        on boundaries.contract_id = contracts.contract_id
    inner join rate_cards
        on contracts.rate_card_id = rate_cards.rate_card_id
    left join last_closed
        on contracts.contract_id = last_closed.contract_id

),

started_open_periods as (

    select
        {{ hash_id('inv', [
            'contract_id', 'cast(' ~ epoch_micros('period_start') ~ ' as string)',
            "'USAGE'", "'1'",
        ]) }} as invoice_id,
        *
    from open_periods
    where
        period_start < period_end
        and period_start < {{ as_of() }}

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

    select * from started_open_periods
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
