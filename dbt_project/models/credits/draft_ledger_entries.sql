{#
  What the ledger would get beyond the books: starts, one deduction per segment and open
  invoice, expirations. `posts_at_close` says which of them the next close writes.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

deductions as (

    select * from {{ ref('draft_deductions') }}

),

expired_balances as (

    select * from {{ ref('expired_balances') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

entries as (

    select
        grant_type || '_SEGMENT_START' as entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        amount_minor,
        true as posts_at_close,
        starting_at as effective_at
    from grants
    where starting_at <= {{ as_of() }}
    union all
    select
        grant_type || '_AUTOMATED_INVOICE_DEDUCTION' as entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        -drawn_minor as amount_minor,
        is_closable as posts_at_close,
        effective_at
    from deductions
    union all
    select
        grant_type || '_EXPIRATION' as entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        -expired_minor as amount_minor,
        posts_at_close,
        ending_before as effective_at
    from expired_balances

),

identified as (

    select
        {{ hash_id('le', ['entry_type', 'segment_id', "coalesce(invoice_id, '')"]) }}
            as entry_id,
        *
    from entries

),

final as (

    select
        identified.entry_id,
        identified.entry_type,
        identified.grant_id,
        identified.segment_id,
        identified.customer_id,
        identified.invoice_id,
        identified.currency,
        cast(identified.amount_minor as bigint) as amount_minor,
        identified.posts_at_close,
        identified.effective_at
    from identified
    left join posted_entries
        on identified.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null

)

select * from final
