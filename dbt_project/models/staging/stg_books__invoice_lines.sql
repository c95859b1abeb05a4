select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['invoice_lines'] -%}
    invoice_lines.{{ column }},
    {% endfor -%}
    invoice_lines.close_id
from {{ source('books', 'invoice_lines') }}
inner join {{ ref('stg_books__closes') }} as closes
    on invoice_lines.close_id = closes.close_id
