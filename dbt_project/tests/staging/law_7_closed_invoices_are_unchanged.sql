{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'stg_books__invoices'}},
        'description': 'Closed invoices, with their lines and sub-lines, hash to what they hashed when they closed.',
    },
) }}

{#
  Law 7, invoices. A closed invoice is what the customer was told and may have paid:
  changed afterwards, our books and theirs disagree and nobody can say since when.
#}

with

lines as (

    select
        invoice_id,
        {{ ordered_concat(invoice_line_hash(), 'line_number') }} as line_hashes
    from {{ ref('stg_books__invoice_lines') }}
    group by 1

),

sub_lines as (

    select
        invoice_id,
        {{ ordered_concat(invoice_sub_line_hash(), 'sub_line_id') }} as sub_line_hashes
    from {{ ref('stg_books__invoice_sub_lines') }}
    group by 1

),

invoices as (

    select
        headers.*,
        coalesce(lines.line_hashes, '') as line_hashes,
        coalesce(sub_lines.sub_line_hashes, '') as sub_line_hashes
    from {{ ref('stg_books__invoices') }} as headers
    left join lines
        on headers.invoice_id = lines.invoice_id
    left join sub_lines
        on headers.invoice_id = sub_lines.invoice_id

),

hashed as (

    select
        invoice_id,
        invoice_number,
        customer_id,
        content_hash,
        {{ invoice_content_hash('line_hashes', 'sub_line_hashes') }} as hash_now
    from invoices

),

final as (

    select * from hashed
    where content_hash <> hash_now

)

select * from final
