select
    closes.as_of as closed_at,
    closes.watermark,
    {% for column, type in books_tables()['ledger_entries'] -%}
    ledger_entries.{{ column }},
    {% endfor -%}
    ledger_entries.close_id
from {{ source('books', 'ledger_entries') }}
inner join {{ ref('stg_books__closes') }} as closes
    on ledger_entries.close_id = closes.close_id
