select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['voids'] -%}
    voids.{{ column }},
    {% endfor -%}
    voids.close_id
from {{ source('books', 'voids') }}
inner join {{ ref('stg_books__closes') }} as closes
    on voids.close_id = closes.close_id
