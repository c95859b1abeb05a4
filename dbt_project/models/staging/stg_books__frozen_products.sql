select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_products'] -%}
    frozen_products.{{ column }},
    {% endfor -%}
    frozen_products.close_id
from {{ source('books', 'frozen_products') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_products.close_id = closes.close_id
