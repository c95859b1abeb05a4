{# An as_of before a close sees the books as they stood then: a read-only preview. The
   instant is read from the run's own row, not written into the view: a run that does
   not build this view again must still see its own close. #}
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
where as_of <= (select build.as_of from {{ source('ops', 'build') }} as build)
