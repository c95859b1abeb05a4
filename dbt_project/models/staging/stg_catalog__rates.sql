{% set sources = [source('catalog', 'rates')] -%}
{%- for model in var('rate_models') %}{% do sources.append(ref(model)) %}{% endfor -%}
{%- for relation in sources %}
select
    rate_id,
    rate_card_id,
    product_id,
    price_model,
    {{ key_values_json('pricing_group_values') }} as pricing_group_values,
    unit_price,
    {{ optional_column(relation, 'package_size', 'integer') }} as package_size,
    case
        when {{ optional_column(relation, 'package_size', 'integer') }} is not null
            then coalesce(
                {{ optional_column(relation, 'package_rounding', 'string') }}, 'up'
            )
    end as package_rounding,
    coalesce(entitled, true) as is_entitled,
    starting_at,
    ending_before
from {{ relation }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
