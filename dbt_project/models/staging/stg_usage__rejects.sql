select
    landing_sequence,
    landing_row,
    source_file,
    field,
    reason,
    remedy,
    raw,
    landed_at
from {{ source('lake', 'rejects') }}
