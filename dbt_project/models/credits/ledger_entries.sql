{{ config(materialized='view') }}

{# Every movement of every grant: posted entries from the books, pending ones from the
   drafts. The close reads it before the ledger of this run is there. #}
with

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

draft_entries as (

    select * from {{ ref('draft_ledger_entries') }}

),

final as (

    select
        entry_id,
        entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        amount_minor,
        'posted' as entry_state,
        source_id,
        reason,
        actor,
        effective_at,
        posted_at
    from posted_entries
    union all
    select
        draft_entries.entry_id,
        draft_entries.entry_type,
        draft_entries.grant_id,
        draft_entries.segment_id,
        draft_entries.customer_id,
        draft_entries.invoice_id,
        draft_entries.currency,
        draft_entries.pricing_unit_id,
        draft_entries.amount_minor,
        'pending' as entry_state,
        draft_entries.source_id,
        draft_entries.reason,
        draft_entries.actor,
        draft_entries.effective_at,
        cast(null as timestamp) as posted_at
    from draft_entries
    left join posted_entries
        on draft_entries.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null

)

select * from final
