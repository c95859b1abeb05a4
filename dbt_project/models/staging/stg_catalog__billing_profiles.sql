select
    catalog_row,
    billing_profile_id,
    coalesce(stripe_account, 'default') as stripe_account,
    collection_method,
    days_until_due,
    coalesce(auto_finalize, true) as is_auto_finalized,
    coalesce(is_default, false) as is_default,
    coalesce(skip_zero_totals, false) as skips_zero_totals
from {{ source('catalog', 'billing_profiles') }}
