{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'invoices'}},
        'description': 'Invoices, lines and sub-lines as finance reads them hash to the content hash of their invoice.',
    },
) }}

{#
  Law 7, readers. Finance and the publisher read these tables, not the books: a row that
  differs from what was closed would be sent to the customer.
#}

with

lines as (

    select
        invoice_id,
        {{ ordered_concat(invoice_line_hash(), 'line_number') }} as line_hashes
    from {{ ref('invoice_lines') }}
    group by 1

),

sub_lines as (

    select
        invoice_id,
        {{ ordered_concat(invoice_sub_line_hash(), 'sub_line_id') }} as sub_line_hashes
    from {{ ref('invoice_sub_lines') }}
    group by 1

),

invoices as (

    select
        headers.*,
        coalesce(lines.line_hashes, '') as line_hashes,
        coalesce(sub_lines.sub_line_hashes, '') as sub_line_hashes
    from {{ ref('invoices') }} as headers
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
