{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'stg_books__closes'}},
        'description': 'Each close still holds the invoices and entries it wrote, and the closes form one unbroken chain.',
    },
) }}

{#
  Law 7, closes. The rolling digest chains every close to the one before: a row added to,
  taken from or changed in closed time shows here, also one in the credit ledger.
#}
with

{# All closes, not those up to as_of: a preview must not look like a broken chain. #}
closes as (

    select * from {{ source('books', 'closes') }}

),

contents as (

    {{ close_content_sql(
        'select close_id from ' ~ source('books', 'closes')
    ) }}

),

invoices as (

    select
        close_id,
        count(*) as invoice_count
    from {{ source('books', 'invoices') }}
    group by 1

),

ledger_entries as (

    select
        close_id,
        count(*) as ledger_entry_count
    from {{ source('books', 'ledger_entries') }}
    group by 1

),

followers as (

    select
        coalesce(previous_close_id, 'none: the first close') as previous_close_id,
        count(*) as followers
    from closes
    group by 1

),

checked as (

    select
        closes.close_id,
        closes.as_of,
        case
            when closes.content_hash <> contents.content_hash then 'content changed'
            when closes.invoice_count <> coalesce(invoices.invoice_count, 0)
                then 'invoices added or lost'
            when
                closes.ledger_entry_count
                <> coalesce(ledger_entries.ledger_entry_count, 0)
                then 'ledger entries added or lost'
            when
                closes.previous_close_id is not null
                and previous.close_id is null
                then 'previous close is gone'
            when
                closes.rolling_digest
                <> {{ sha256_text(
                    "coalesce(previous.rolling_digest, '') || closes.content_hash"
                ) }}
                then 'chain is broken'
            when previous.as_of > closes.as_of then 'closed before its predecessor'
            when followers.followers > 1 then 'chain has a fork'
        end as problem
    from closes
    left join contents
        on closes.close_id = contents.close_id
    left join invoices
        on closes.close_id = invoices.close_id
    left join ledger_entries
        on closes.close_id = ledger_entries.close_id
    left join closes as previous
        on closes.previous_close_id = previous.close_id
    left join followers
        on
            coalesce(closes.previous_close_id, 'none: the first close')
            = followers.previous_close_id

),

final as (

    select * from checked
    where problem is not null

)

select * from final
