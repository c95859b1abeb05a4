{{ config(tags=['reader']) }}

{# Every movement of every grant: posted entries from the books, pending ones from the
   drafts, with the balance after each in posting order. #}
with

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

draft_entries as (

    select * from {{ ref('draft_ledger_entries') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

entries as (

    select
        entry_id,
        entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        amount_minor,
        'posted' as entry_state,
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
        draft_entries.amount_minor,
        'pending' as entry_state,
        draft_entries.effective_at,
        cast(null as timestamp) as posted_at
    from draft_entries
    left join posted_entries
        on draft_entries.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null

),

final as (

    select
        entries.entry_id,
        entries.entry_type,
        entries.grant_id,
        entries.segment_id,
        entries.customer_id,
        entries.invoice_id,
        entries.entry_state,
        entries.currency,
        entries.amount_minor,
        {{ from_minor('entries.amount_minor', 'currencies.minor_unit') }} as amount,
        cast(
            sum(entries.amount_minor) over (
                partition by entries.segment_id
                order by
                    coalesce(entries.posted_at, cast('9999-12-31' as timestamp)),
                    entries.effective_at,
                    {{ entry_order('entries.entry_type') }},
                    entries.entry_id
                rows between unbounded preceding and current row
            ) as bigint
        ) as running_balance_minor,
        entries.effective_at,
        entries.posted_at
    from entries
    inner join currencies
        on entries.currency = currencies.currency

)

select * from final
