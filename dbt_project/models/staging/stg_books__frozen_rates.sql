select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_rates'] -%}
    frozen_rates.{{ column }},
    {% endfor -%}
    frozen_rates.close_id
from {{ source('books', 'frozen_rates') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_rates.close_id = closes.close_id
