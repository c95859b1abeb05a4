{{ config(materialized='view', tags=['reader']) }}

{# How each closed invoice reaches its customer: Stripe account and customer, way of
   collection, and whether an operator holds it. #}
with

invoices as (

    select * from {{ ref('invoices') }}
    where status <> 'DRAFT'

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

profiles as (

    select * from {{ ref('stg_catalog__billing_profiles') }}

),

stripe_customers as (

    select * from {{ ref('stg_ops__stripe_customers') }}

),

build as (

    select * from {{ ref('stg_ops__build') }}

),

{# The latest word of the operator counts. #}
holds as (

    select
        target_id as invoice_id,
        kind,
        row_number() over (
            partition by target_id
            order by effective_at desc, instruction_number desc
        ) as recency
    from {{ ref('stg_ops__instructions') }}
    where
        kind in ('hold', 'release')
        and effective_at <= (select build.as_of from build)

),

final as (

    select
        invoices.invoice_id,
        coalesce(
            stripe_customers.stripe_customer_id, customers.stripe_customer_id
        ) as stripe_customer_id,
        {{ stripe_account("profiles.stripe_account", "build.stripe_mode") }}
            as stripe_account,
        coalesce(profiles.collection_method, 'charge_automatically')
            as collection_method,
        coalesce(profiles.days_until_due, contracts.net_payment_terms_days, 30)
            as days_until_due,
        coalesce(profiles.is_auto_finalized, true) as is_auto_finalized,
        coalesce(profiles.skips_zero_totals, false) as skips_zero_totals,
        coalesce(holds.kind = 'hold', false) as is_held
    from invoices
    cross join build
    left join customers
        on invoices.customer_id = customers.customer_id
    left join contracts
        on invoices.contract_id = contracts.contract_id
    left join profiles as default_profile
        on default_profile.is_default
    left join profiles
        on
            coalesce(
                contracts.billing_profile_id,
                customers.billing_profile_id,
                default_profile.billing_profile_id
            ) = profiles.billing_profile_id
    left join stripe_customers
        on
            invoices.customer_id = stripe_customers.customer_id
            and {{ stripe_account("profiles.stripe_account", "build.stripe_mode") }}
            = stripe_customers.account
    left join holds
        on
            invoices.invoice_id = holds.invoice_id
            and holds.recency = 1

)

select * from final
