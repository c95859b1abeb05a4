select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['rated_slices'] -%}
    rated_slices.{{ column }},
    {% endfor -%}
    rated_slices.close_id
from {{ source('books', 'rated_slices') }}
inner join {{ ref('stg_books__closes') }} as closes
    on rated_slices.close_id = closes.close_id
