select
    coalesce(commit_id, credit_id) as grant_id,
    case when commit_id is null then 'CREDIT' else 'PREPAID_COMMIT' end as grant_type,
    product_id,
    product_tags,
    {{ key_values_json('pricing_group_values') }} as pricing_group_values,
    {{ key_values_json('presentation_group_values') }} as presentation_group_values
from {{ source('catalog', 'grant_specifiers') }}
