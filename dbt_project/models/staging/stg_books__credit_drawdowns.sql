select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['credit_drawdowns'] -%}
    credit_drawdowns.{{ column }},
    {% endfor -%}
    credit_drawdowns.close_id
from {{ source('books', 'credit_drawdowns') }}
inner join {{ ref('stg_books__closes') }} as closes
    on credit_drawdowns.close_id = closes.close_id
