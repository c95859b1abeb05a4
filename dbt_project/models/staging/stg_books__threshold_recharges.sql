select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['threshold_recharges'] -%}
    threshold_recharges.{{ column }},
    {% endfor -%}
    threshold_recharges.close_id
from {{ source('books', 'threshold_recharges') }}
inner join {{ ref('stg_books__closes') }} as closes
    on threshold_recharges.close_id = closes.close_id
