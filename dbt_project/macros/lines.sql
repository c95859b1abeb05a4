{# How a line of an invoice is named, where it stands, and which unit it is in. #}

{# Is a line what a grant paid, and not a charge? #}
{% macro is_applied(alias='') -%}
    {{ alias }}line_type in ('applied_commit_or_credit', 'applied_postpaid_commit')
{%- endmacro %}

{# What counts towards a promise is owed all the same. #}
{% macro is_owed(alias='') -%}
    {{ alias }}line_type <> 'applied_postpaid_commit'
{%- endmacro %}

{# Is it what prepaid commits and credits paid? #}
{% macro lowers_total() -%}
    line_type = 'applied_commit_or_credit'
{%- endmacro %}

{# What a line is for, whatever its price: product, group values and kind of charge. #}
{% macro line_key(lines) -%}
    {{ hash_id('lk', [
        lines ~ '.line_type', "coalesce(" ~ lines ~ ".product_id, '')",
        lines ~ '.pricing_group_values', lines ~ '.presentation_group_values',
        "coalesce(" ~ lines ~ ".segment_id, '') || coalesce('|' || " ~ lines ~ ".subject_id, '')"
        ~ " || coalesce('|' || " ~ lines ~ ".pricing_unit_id, '')",
    ]) }}
{%- endmacro %}

{# What the purchase of a commit is for: the commit, and when it is invoiced. #}
{% macro purchase_subject(grant_id, invoice_at) -%}
    {{ grant_id }} || '/' || cast({{ epoch_micros(invoice_at) }} as string)
{%- endmacro %}

{# Key of the line of a purchase, as line_key says it. #}
{% macro purchase_line_key(subject_id) -%}
    {{ hash_id('lk', [
        "'commit_purchase'", "''", "'{}'", "'{}'", "'|' || " ~ subject_id,
    ]) }}
{%- endmacro %}

{# Of an invoice and a subscription. #}
{% macro subscription_line_id(invoices, subscriptions) -%}
    {{ hash_id('il', [
        invoices ~ '.invoice_id', "'subscription'", subscriptions ~ '.subscription_id',
    ]) }}
{%- endmacro %}

{# Whatever sums up others stands after what it sums up. #}
{% macro line_type_order() -%}
    case lines.line_type
        when 'usage' then 1
        when 'subscription' then 2
        when 'composite' then 3
        when 'cpu_conversion' then 4
        when 'minimum' then 5
        when 'commit_purchase' then 6
        when 'commit_trueup' then 7
        else 8
    end
{%- endmacro %}

{# The order in which the lines of an invoice stand. #}
{% macro line_order() -%}
    {{ line_type_order() }},
    case when lines.product_id is null then 1 else 0 end,
    products.product_name,
    coalesce(subscriptions.subscription_name, ''),
    lines.pricing_group_values,
    lines.presentation_group_values,
    coalesce(lines.pricing_unit_id, ''),
    lines.line_id
{%- endmacro %}

{% macro line_name() -%}
    case lines.line_type
        when 'minimum'
            then 'Minimum of ' || coalesce(
                products.product_name, contracts.contract_name, open_invoices.contract_id
            )
        when 'applied_commit_or_credit'
            then grants.grant_name || ' applied to ' || products.product_name
        when 'applied_postpaid_commit'
            then products.product_name || ' counted towards ' || grants.grant_name
        when 'subscription'
            then products.product_name || coalesce(
                ': ' || nullif(subscriptions.subscription_name, products.product_name), ''
            )
        when 'commit_purchase' then purchases.grant_name
        when 'commit_trueup' then 'True-up of ' || grants.grant_name
        when 'cpu_conversion'
            then coalesce(pricing_units.pricing_unit_name, lines.pricing_unit_id)
                || ' at ' || {{ short_decimal_text('lines.unit_price') }} || ' '
                || open_invoices.currency
        else products.product_name
    end
{%- endmacro %}

{# Is the line's amount in a pricing unit? What grants paid of it is, too; the amount of
   its conversion is money. #}
{% macro is_in_pricing_unit(alias='') -%}
    (
        {{ alias }}pricing_unit_id is not null
        and {{ alias }}line_type <> 'cpu_conversion'
    )
{%- endmacro %}
