select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['frozen_rate_tiers'] -%}
    frozen_rate_tiers.{{ column }},
    {% endfor -%}
    frozen_rate_tiers.close_id
from {{ source('books', 'frozen_rate_tiers') }}
inner join {{ ref('stg_books__closes') }} as closes
    on frozen_rate_tiers.close_id = closes.close_id
