select
    account,
    invoice_id,
    content_hash,
    generation,
    attempt,
    state,
    stripe_invoice_id,
    stripe_number,
    hosted_invoice_url,
    subtotal_minor,
    total_minor,
    tax_minor,
    last_error,
    request_id,
    first_try_at,
    published_at,
    updated_at
from {{ source('ops', 'publish_journal') }}
where {{ is_account_of_this_mode('account') }}
