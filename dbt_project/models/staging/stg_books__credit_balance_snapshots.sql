select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['credit_balance_snapshots'] -%}
    credit_balance_snapshots.{{ column }},
    {% endfor -%}
    credit_balance_snapshots.close_id
from {{ source('books', 'credit_balance_snapshots') }}
inner join {{ ref('stg_books__closes') }} as closes
    on credit_balance_snapshots.close_id = closes.close_id
