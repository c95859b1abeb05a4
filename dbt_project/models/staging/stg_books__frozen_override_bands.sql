select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_override_bands'] -%}
    frozen_override_bands.{{ column }},
    {% endfor -%}
    frozen_override_bands.close_id
from {{ source('books', 'frozen_override_bands') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_override_bands.close_id = closes.close_id
