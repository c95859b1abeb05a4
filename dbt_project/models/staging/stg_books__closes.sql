{# An as_of before a close sees the books as they stood then: a read-only preview. #}
select
    close_id,
    build_id,
    catalog_hash,
    code_version,
    previous_close_id,
    content_hash,
    rolling_digest,
    watermark,
    invoice_count,
    ledger_entry_count,
    as_of
from {{ source('books', 'closes') }}
where as_of <= {{ as_of() }}
