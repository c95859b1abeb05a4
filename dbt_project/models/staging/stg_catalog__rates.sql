{% set sources = [source('catalog', 'rates')] -%}
{%- for model in var('rate_models') %}{% do sources.append(ref(model)) %}{% endfor -%}
{%- for relation in sources %}
select
    rate_id,
    rate_card_id,
    product_id,
    {{ key_values_json('pricing_group_values') }} as pricing_group_values,
    {{ select_rate_terms(relation) }},
    unit_price,
    {{ optional_column(relation, 'commit_rate', unit_price_type()) }} as commit_rate,
    {{ to_amount(optional_column(relation, 'minimum_amount', amount_type())) }}
        as minimum_amount,
    {{ to_amount(optional_column(relation, 'maximum_amount', amount_type())) }}
        as maximum_amount,
    coalesce({{ optional_column(relation, 'use_list_prices', 'boolean') }}, false)
        as use_list_prices,
    coalesce(entitled, true) as is_entitled,
    starting_at,
    ending_before
from {{ relation }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
