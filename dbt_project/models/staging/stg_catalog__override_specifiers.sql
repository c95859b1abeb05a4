select
    override_id,
    product_id,
    product_tags,
    billing_frequency,
    pricing_group_values as pricing_group_pairs,
    {{ key_values_json('pricing_group_values') }} as pricing_group_values,
    presentation_group_values as presentation_group_pairs,
    {{ key_values_json('presentation_group_values') }} as presentation_group_values,
    commit_ids,
    recurring_commit_ids
from {{ source('catalog', 'override_specifiers') }}
