{# Alias of the Stripe account that an invoice goes to in this mode. #}
{% macro stripe_account(alias, stripe_mode) -%}
    case when {{ stripe_mode }} = 'sandbox' then 'sandbox-' else '' end
    || coalesce({{ alias }}, 'default')
{%- endmacro %}

{# Lines without quantity are not sent, nor are those in a pricing unit (what the customer
   pays for them is the line of the conversion), nor what counts towards a promise. #}
{% macro is_sent_to_stripe(line) -%}
    ({{ line }}quantity <> 0 or {{ line }}amount_minor <> 0)
    and not {{ is_in_pricing_unit(line) }}
    and {{ is_owed(line) }}
{%- endmacro %}

{# What the customer reads on a line. #}
{% macro stripe_line_description() -%}
    line_name
    || case
        when pricing_group_values = '{}' then ''
        else ' ' || pricing_group_values
    end
    || case
        when presentation_group_values = '{}' then ''
        else ' ' || presentation_group_values
    end
    || case
        when line_type in ('usage', 'subscription', 'cpu_conversion')
            then ' - quantity ' || {{ short_decimal_text('quantity') }}
        else ''
    end
{%- endmacro %}

{# What was sent to the sandbox says nothing of what stands in Stripe, and the other way
   round. The mode is read from the run: a view outlives the run that made it. #}
{% macro is_account_of_this_mode(account) -%}
    ({{ account }} like 'sandbox-%') = (
        select build.stripe_mode = 'sandbox' from {{ source('ops', 'build') }} as build
    )
{%- endmacro %}
