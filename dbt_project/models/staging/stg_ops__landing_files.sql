select
    landing_sequence,
    source_file,
    content_hash,
    rows_read,
    rows_landed,
    rows_rejected,
    state,
    min_event_date,
    landed_at
from {{ source('ops', 'landing_files') }}
