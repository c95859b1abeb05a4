select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['invoices'] -%}
    invoices.{{ column }},
    {% endfor -%}
    invoices.close_id
from {{ source('books', 'invoices') }}
inner join {{ ref('stg_books__closes') }} as closes
    on invoices.close_id = closes.close_id
