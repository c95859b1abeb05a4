select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_customer_refs'] -%}
    frozen_customer_refs.{{ column }},
    {% endfor -%}
    frozen_customer_refs.close_id
from {{ source('books', 'frozen_customer_refs') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_customer_refs.close_id = closes.close_id
