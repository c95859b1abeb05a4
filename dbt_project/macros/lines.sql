{# How a line of an invoice is named, where it stands, and which unit it is in. #}

{# Whatever sums up others stands after what it sums up. #}
{% macro line_type_order() -%}
    case lines.line_type
        when 'usage' then 1
        when 'composite' then 2
        when 'cpu_conversion' then 3
        when 'minimum' then 4
        else 5
    end
{%- endmacro %}

{% macro line_name() -%}
    case lines.line_type
        when 'minimum'
            then 'Minimum of ' || coalesce(
                products.product_name, contracts.contract_name, periods.contract_id
            )
        when 'applied_commit_or_credit'
            then grants.grant_name || ' applied to ' || products.product_name
        when 'cpu_conversion'
            then coalesce(pricing_units.pricing_unit_name, lines.pricing_unit_id)
                || ' at ' || {{ short_decimal_text('lines.unit_price') }} || ' '
                || periods.currency
        else products.product_name
    end
{%- endmacro %}

{# Is the line's amount in a pricing unit? The amount of its conversion is money. #}
{% macro is_in_pricing_unit(alias='') -%}
    ({{ alias }}line_type = 'usage' and {{ alias }}pricing_unit_id is not null)
{%- endmacro %}
