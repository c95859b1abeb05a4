select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_discounts'] -%}
    frozen_discounts.{{ column }},
    {% endfor -%}
    frozen_discounts.close_id
from {{ source('books', 'frozen_discounts') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_discounts.close_id = closes.close_id
