select
    build_id,
    catalog_hash,
    code_version,
    watermark,
    as_of
from {{ source('ops', 'build') }}
