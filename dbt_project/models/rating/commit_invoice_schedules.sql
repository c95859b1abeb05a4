{{ config(materialized='view') }}

{# What prepaid commits ask to be invoiced, and when: by their schedules, and what
   recurring commits cost, when each begins. #}
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
    union all
    select
        'recurring_commit' as declared_as,
        grant_id,
        grant_name,
        customer_id,
        contract_id,
        currency,
        invoice_amount as amount,
        starting_at as invoice_at
    from recurring_grants
    where
        not do_not_invoice
        and invoice_amount > 0

),

priced as (

    select
        asked.*,
        'commit_purchase' as line_type,
        cast(null as string) as product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        cast(null as string) as segment_id,
        asked.grant_id || '/'
        || cast({{ epoch_micros('asked.invoice_at') }} as string) as subject_id,
        cast(null as string) as pricing_unit_id,
        {{ to_minor('asked.amount', 'currencies.minor_unit_factor') }} as amount_minor,
        currencies.minor_unit
    from asked
    inner join currencies
        on asked.currency = currencies.currency

),

final as (

    select
        {{ line_key('priced') }} as line_key,
        priced.line_type,
        priced.declared_as,
        priced.grant_id,
        priced.grant_name,
        priced.customer_id,
        priced.contract_id,
        priced.subject_id,
        priced.currency,
        priced.amount_minor,
        priced.minor_unit,
        priced.invoice_at
    from priced

)

select * from final
