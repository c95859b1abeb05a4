{# Alias of the Stripe account that an invoice goes to in this mode. #}
{% macro stripe_account(alias) -%}
    {% if var('stripe_mode') == 'sandbox' %}'sandbox-' || {% endif -%}
    coalesce({{ alias }}, 'default')
{%- endmacro %}
