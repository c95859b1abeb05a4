{{ config(materialized=deep_view()) }}

{#
  What closed invoices took of their segments and give back because they are void, each
  as of the instant at which it was taken. The field has no such entry for a promise: its
  obligation, true-up included, comes back by hand.
#}
with

voided_invoices as (

    select * from {{ ref('voided_invoices') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

taken as (

    select * from posted_entries
    where
        entry_type like '%DEDUCTION'
        or entry_type like '%TRUEUP'

),

typed as (

    select
        case
            when taken.entry_type like 'POSTPAID_COMMIT%' then 'POSTPAID_COMMIT_MANUAL'
            when taken.entry_type like 'PREPAID_COMMIT%' then 'PREPAID_COMMIT_CREDITED'
            else 'CREDIT_CREDITED'
        end as entry_type,
        taken.grant_id,
        taken.segment_id,
        taken.customer_id,
        taken.invoice_id,
        taken.currency,
        taken.pricing_unit_id,
        -taken.amount_minor as amount_minor,
        taken.effective_at,
        voided_invoices.instruction_id as source_id,
        voided_invoices.reason,
        voided_invoices.actor
    from taken
    inner join voided_invoices
        on taken.invoice_id = voided_invoices.invoice_id

),

identified as (

    select
        {{ hash_id('le', ['entry_type', 'segment_id', 'source_id']) }} as entry_id,
        *
    from typed

),

final as (

    select identified.*
    from identified
    left join posted_entries
        on identified.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null

)

select * from final -- noqa: AM04
