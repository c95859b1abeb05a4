select
    build_id,
    catalog_hash,
    code_version,
    stripe_mode,
    watermark,
    as_of
from {{ source('ops', 'build') }}
