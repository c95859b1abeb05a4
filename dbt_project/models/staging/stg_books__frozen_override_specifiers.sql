select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_override_specifiers'] -%}
    frozen_override_specifiers.{{ column }},
    {% endfor -%}
    frozen_override_specifiers.close_id
from {{ source('books', 'frozen_override_specifiers') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_override_specifiers.close_id = closes.close_id
