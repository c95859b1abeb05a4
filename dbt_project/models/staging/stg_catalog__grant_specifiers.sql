select
    coalesce(commit_id, credit_id, recurring_commit_id) as declared_id,
    case
        when commit_id is not null then 'commit'
        when credit_id is not null then 'credit'
        else 'recurring_commit'
    end as declared_as,
    product_id,
    product_tags,
    {{ key_values_json('pricing_group_values') }} as pricing_group_values,
    {{ key_values_json('presentation_group_values') }} as presentation_group_values
from {{ source('catalog', 'grant_specifiers') }}
