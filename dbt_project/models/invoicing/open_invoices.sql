{# Heads of all drafts: those of contract periods that are open, those of a day on which
   commits are bought, and true-ups. #}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

purchases as (

    select * from {{ ref('commit_purchases') }}

),

trueups as (

    select * from {{ ref('commit_trueups') }}

),

contracts as (

    select * from {{ ref('carded_contracts') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

scheduled as (

    select distinct
        invoice_id,
        'SCHEDULED' as invoice_type,
        contract_id,
        currency,
        true as is_closable,
        invoice_day as period_start,
        {{ add_hours('invoice_day', 24) }} as period_end,
        invoice_day as closes_at
    from purchases
    union all
    select
        invoice_id,
        'TRUEUP' as invoice_type,
        contract_id,
        currency,
        posts_at_close as is_closable,
        starting_at as period_start,
        ending_before as period_end,
        invoice_at as closes_at
    from trueups

),

final as (

    select
        invoice_id,
        'USAGE' as invoice_type,
        customer_id,
        contract_id,
        rate_card_id,
        billing_profile_id,
        late_usage_policy,
        currency,
        minor_unit_factor,
        minor_unit,
        net_payment_terms_days,
        is_closable,
        period_start,
        period_end,
        closes_at
    from periods
    union all
    select
        scheduled.invoice_id,
        scheduled.invoice_type,
        contracts.customer_id,
        scheduled.contract_id,
        contracts.rate_card_id,
        contracts.billing_profile_id,
        contracts.late_usage_policy,
        scheduled.currency,
        currencies.minor_unit_factor,
        currencies.minor_unit,
        contracts.net_payment_terms_days,
        scheduled.is_closable,
        scheduled.period_start,
        scheduled.period_end,
        scheduled.closes_at
    from scheduled
    inner join contracts
        on scheduled.contract_id = contracts.contract_id
    inner join currencies
        on scheduled.currency = currencies.currency

)

select * from final
