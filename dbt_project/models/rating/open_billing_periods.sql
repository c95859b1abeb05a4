{{ config(materialized='view') }}

{# Periods that a contract has begun and not closed: they start where the last closed
   one ended. #}
with

contracts as (

    select * from {{ ref('carded_contracts') }}

),

rate_cards as (

    select * from {{ ref('stg_catalog__rate_cards') }}

),

last_closed as (

    select
        contract_id,
        max(period_end) as closed_until
    from {{ ref('stg_books__invoices') }}
    where invoice_type = 'USAGE'
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
        series.period_number
        <= {{ month_number(as_of()) }} - {{ month_number('contracts.starting_at') }}

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

final as (

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

)

select * from final
