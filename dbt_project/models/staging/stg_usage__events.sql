select
    landing_sequence,
    landing_row,
    transaction_id,
    customer_ref,
    event_type,
    properties,
    {% for property in event_properties() %}
    {{ property_column(property) }},
    {% endfor %}
    source_file,
    cast(event_date as date) as event_date,
    event_at,
    received_at,
    landed_at
from {{ source('lake', 'events') }}
