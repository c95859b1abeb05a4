{# What the ledger would get beyond the books before balances are topped up: starts, one
   deduction per segment and open invoice, what operators decided on, ends of segments.
   `posts_at_close`: does the next close write it? #}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

deductions as (

    select * from {{ ref('draft_deductions') }}

),

segment_ends as (

    select * from {{ ref('segment_ends') }}

),

manual_entries as (

    select * from {{ ref('draft_manual_entries') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

entries as (

    select
        {{ start_entry_type('grant_type') }} as entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        pricing_unit_id,
        amount_minor,
        true as posts_at_close,
        starting_at as effective_at,
        source_id
    from grants
    where
        starting_at <= {{ as_of() }}
        and rolled_over_from is null
    union all
    select
        grant_type || '_AUTOMATED_INVOICE_DEDUCTION' as entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        -drawn_minor as amount_minor,
        is_closable as posts_at_close,
        effective_at,
        cast(null as string) as source_id
    from deductions
    union all
    select
        entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        -left_minor as amount_minor,
        posts_at_close,
        ending_before as effective_at,
        cast(null as string) as source_id
    from segment_ends

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
        identified.*,
        cast(null as string) as reason,
        cast(null as string) as actor
    from identified
    left join posted_entries
        on identified.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null
    union all
    select * from manual_entries

)

select * from final -- noqa: AM04
