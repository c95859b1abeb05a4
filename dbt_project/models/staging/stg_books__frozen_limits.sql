select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_limits'] -%}
    frozen_limits.{{ column }},
    {% endfor -%}
    frozen_limits.close_id
from {{ source('books', 'frozen_limits') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_limits.close_id = closes.close_id
