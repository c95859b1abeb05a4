{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'credit_ledger'}},
        'description': 'Posted entries of credit_ledger are exactly those of the books, and balances are their sums.',
    },
) }}

{#
  Law 7, ledger. Finance reads the ledger, not the books: an entry that was never posted,
  or posted and not shown, misstates what is owed to the customer.
#}
with

ledger as (

    select
        entry_id,
        {{ ledger_entry_hash() }} as entry_hash
    from {{ ref('credit_ledger') }}
    where entry_state = 'posted'

),

posted as (

    select
        entry_id,
        {{ ledger_entry_hash() }} as entry_hash
    from {{ ref('stg_books__ledger_entries') }}

),

sums as (

    select
        segment_id,
        sum(amount_minor) as balance_minor
    from {{ ref('credit_ledger') }}
    group by 1

),

balances as (

    select
        segment_id,
        balance_minor
    from {{ ref('credit_balances') }}

),

final as (

    select
        coalesce(ledger.entry_id, posted.entry_id) as id,
        'entry differs from the books' as problem
    from ledger
    full outer join posted
        on ledger.entry_id = posted.entry_id
    where
        coalesce(ledger.entry_hash, 'not shown')
        <> coalesce(posted.entry_hash, 'not posted')
    union all
    select
        coalesce(sums.segment_id, balances.segment_id) as id,
        'balance is not the sum of the entries' as problem
    from balances
    full outer join sums
        on balances.segment_id = sums.segment_id
    where
        coalesce(balances.balance_minor, 0) <> coalesce(sums.balance_minor, 0)
        or balances.segment_id is null

)

select * from final
