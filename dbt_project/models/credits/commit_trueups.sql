{{ config(materialized='view') }}

{# What usage left of a postpaid commit when it ended, and what did not roll over:
   invoiced on its date, after the last invoice that may yet count towards it. What had
   rolled over is invoiced when it ends. #}
with

expired_balances as (

    select * from {{ ref('expired_balances') }}
    where grant_type = 'POSTPAID_COMMIT'

),

rolled_over as (

    select * from {{ ref('rolled_over_balances') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

commits as (

    select * from {{ ref('stg_catalog__commits') }}
    where not is_trueup_disabled

),

schedules as (

    select * from {{ ref('stg_catalog__invoice_schedules') }}

),

left_over as (

    select
        expired_balances.segment_id,
        expired_balances.grant_id,
        grants.grant_name,
        case
            when grants.rolled_over_from is null then commits.invoice_contract_id
            else grants.applicable_contract_ids
        end as contract_id,
        expired_balances.customer_id,
        expired_balances.currency,
        expired_balances.expired_minor
        - coalesce(rolled_over.rolled_minor, 0) as trueup_minor,
        expired_balances.posts_at_close,
        grants.starting_at,
        grants.ending_before,
        case
            when grants.rolled_over_from is null then schedules.invoice_at
            else grants.ending_before
        end as invoice_at
    from expired_balances
    inner join grants
        on expired_balances.segment_id = grants.segment_id
    inner join commits
        on coalesce(grants.rolled_over_from, grants.grant_id) = commits.grant_id
    left join schedules
        on commits.grant_id = schedules.grant_id
    left join rolled_over
        on expired_balances.segment_id = rolled_over.segment_id

),

final as (

    select
        {{ hash_id('inv', [
            'contract_id', 'cast(' ~ epoch_micros('invoice_at') ~ ' as string)',
            "'TRUEUP'", 'segment_id',
        ]) }} as invoice_id,
        segment_id,
        grant_id,
        grant_name,
        contract_id,
        customer_id,
        currency,
        trueup_minor,
        posts_at_close and invoice_at <= {{ as_of() }} as posts_at_close,
        starting_at,
        ending_before,
        invoice_at
    from left_over
    where trueup_minor > 0

)

select * from final
