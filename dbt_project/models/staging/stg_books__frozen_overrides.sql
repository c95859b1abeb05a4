select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_overrides'] -%}
    frozen_overrides.{{ column }},
    {% endfor -%}
    frozen_overrides.close_id
from {{ source('books', 'frozen_overrides') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_overrides.close_id = closes.close_id
