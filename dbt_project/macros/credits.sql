{# How many ranks to unroll: the deepest wallet of this run, never more than the
   configured depth. A deeper wallet fails law wallet_depth instead of losing a grant. #}
{% macro wallet_depth() -%}
    {% set rows = fetch_rows(
        'select coalesce(max(wallet_rank), 0) as depth from ' ~ ref('active_grants')
    ) %}
    {% set deepest = rows[0].depth | int if rows else 0 %}
    {{ return([deepest, var('credit_depth') | int] | min) }}
{%- endmacro %}

{# What counts as more products, values or contracts than anybody can name. #}
{% macro everything() -%}
    1000000
{%- endmacro %}

{% macro endless(ending_before) -%}
    coalesce({{ ending_before }}, cast('9999-12-31' as timestamp))
{%- endmacro %}

{# Does a scope ask for group values and for nothing else? #}
{% macro has_group_values_only(scopes) -%}
    {{ scopes }}.product_id is null
    and {{ scopes }}.product_tags is null
    and {{ scopes }}.pricing_group_values || {{ scopes }}.presentation_group_values
    <> '{}{}'
{%- endmacro %}

{# What decides between two grants before their windows do: lower numbers are drawn
   first. Bought grants are alike, whatever they cost. #}
{% macro burn_keys(grants) -%}
    {{ grants }}.priority,
    case when {{ grants }}.invoice_amount = 0 then 0 else 1 end,
    {{ grants }}.applicable_products,
    {{ grants }}.applicable_usage
{%- endmacro %}

{% macro burn_level(grants) -%}
    cast(
        dense_rank() over (
            partition by {{ grants }}.customer_id, {{ grants }}.currency
            order by {{ burn_keys(grants) }}
        ) as bigint
    )
{%- endmacro %}

{% macro burn_rank(grants) -%}
    cast(
        row_number() over (
            partition by {{ grants }}.customer_id, {{ grants }}.currency
            order by
                {{ burn_keys(grants) }},
                {{ endless(grants ~ '.ending_before') }},
                {{ grants }}.starting_at,
                case
                    when {{ grants }}.applicable_contract_ids is null
                        then {{ everything() }}
                    else {{ list_size(grants ~ '.applicable_contract_ids') }}
                end,
                {{ grants }}.created_at,
                {{ grants }}.grant_id,
                {{ grants }}.grant_type,
                {{ grants }}.segment_id
        ) as bigint
    )
{%- endmacro %}

{# May what a grant is for be this line? A composite has no group values, so it meets no
   condition on them. #}
{% macro is_in_scope(lines, scopes) -%}
    ({{ scopes }}.product_id is null or {{ scopes }}.product_id = {{ lines }}.product_id)
    and (
        {{ scopes }}.product_tags is null
        or {{ list_has_all(lines ~ '.product_tags', scopes ~ '.product_tags') }}
    )
    and {{ json_subset(
        lines ~ '.pricing_group_values',
        json_key_list(scopes ~ '.pricing_group_values')
    ) }} = {{ scopes }}.pricing_group_values
    and {{ json_subset(
        lines ~ '.presentation_group_values',
        json_key_list(scopes ~ '.presentation_group_values')
    ) }} = {{ scopes }}.presentation_group_values
{%- endmacro %}

{# What a grant takes of one charge: the part of the running total of what it may pay
   that its balance reaches. A charge without a grant at this rank is left as it is. #}
{% macro prefix_draw(grants) -%}
    {%- set running -%}
    sum(charges.remaining_minor) over (
        partition by coalesce({{ grants }}.segment_id, charges.slice_id)
        order by charges.charge_rank
        rows between unbounded preceding and current row
    )
    {%- endset -%}
    case
        when {{ grants }}.segment_id is null then cast(0 as bigint)
        else cast(
            greatest(
                least({{ running }}, {{ grants }}.opening_balance_minor)
                - ({{ running }} - charges.remaining_minor),
                0
            ) as bigint
        )
    end
{%- endmacro %}

{# Order of entries with the same instant: a segment starts before it is drawn on, and
   expires last. #}
{% macro entry_order(entry_type) -%}
    case
        when {{ entry_type }} like '%SEGMENT_START' then 1
        when {{ entry_type }} like '%DEDUCTION' then 2
        when {{ entry_type }} like '%EXPIRATION' then 9
        else 5
    end
{%- endmacro %}
