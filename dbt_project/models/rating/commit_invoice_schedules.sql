{{ config(materialized='view') }}

{# What prepaid commits ask to be invoiced, and when: by their schedules; what recurring
   commits cost, when each begins; and what balances were topped up with. #}
with

schedules as (

    select * from {{ ref('stg_catalog__invoice_schedules') }}

),

commits as (

    select * from {{ ref('stg_catalog__commits') }}
    where grant_type = 'PREPAID_COMMIT'

),

recurring_grants as (

    select * from {{ ref('recurring_grants') }}

),

threshold_grants as (

    select * from {{ ref('threshold_grants') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

asked as (

    select
        'commit' as declared_as,
        commits.grant_id,
        commits.grant_name,
        commits.customer_id,
        commits.invoice_contract_id as contract_id,
        commits.currency,
        schedules.amount,
        schedules.invoice_at
    from schedules
    inner join commits
        on schedules.grant_id = commits.grant_id
    where not commits.do_not_invoice
    {% for grants, kind in [
        ('recurring_grants', 'recurring_commit'), ('threshold_grants', 'threshold'),
    ] -%}
    union all
    select
        '{{ kind }}' as declared_as,
        grant_id,
        grant_name,
        customer_id,
        contract_id,
        currency,
        invoice_amount as amount,
        starting_at as invoice_at
    from {{ grants }}
    where
        not do_not_invoice
        and invoice_amount > 0
    {% endfor %}

),

priced as (

    select
        asked.*,
        {{ purchase_subject('asked.grant_id', 'asked.invoice_at') }} as subject_id,
        {{ to_minor('asked.amount', 'currencies.minor_unit_factor') }} as amount_minor,
        currencies.minor_unit
    from asked
    inner join currencies
        on asked.currency = currencies.currency

),

final as (

    select
        {{ purchase_line_key('subject_id') }} as line_key,
        'commit_purchase' as line_type,
        declared_as,
        grant_id,
        grant_name,
        customer_id,
        contract_id,
        subject_id,
        currency,
        amount_minor,
        minor_unit,
        invoice_at
    from priced

)

select * from final
