select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_pricing_unit_conversions'] -%}
    frozen_pricing_unit_conversions.{{ column }},
    {% endfor -%}
    frozen_pricing_unit_conversions.close_id
from {{ source('books', 'frozen_pricing_unit_conversions') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_pricing_unit_conversions.close_id = closes.close_id
