{# Ids are hashes of what they stand for: the same inputs give the same ids. #}
{% macro hash_id(prefix, parts) -%}
    '{{ prefix }}_' || substr(
        {{ sha256_text(parts | map('string') | join(" || '|' || ")) }}, 1, 24
    )
{%- endmacro %}

{# Decimal as text with twelve places, equal on every engine (Spark prints 0E-12). #}
{% macro decimal_text(amount) -%}
    case when {{ amount }} < 0 then '-' else '' end
    || cast(cast(floor(abs({{ amount }})) as decimal(20, 0)) as string) || '.'
    || lpad(
        cast(
            cast(
                cast(abs({{ amount }}) - floor(abs({{ amount }})) as decimal(24, 12))
                * cast(1000000000000 as decimal(13, 0)) as bigint
            ) as string
        ),
        12,
        '0'
    )
{%- endmacro %}

{# One text for a list of [column, kind] with explicit NULLs, instants as epoch
   microseconds and decimals at fixed scale; kinds: text, integer, decimal, instant,
   boolean. Hash it for content hashes: no wall clock, no engine's own formatting. #}
{% macro content_text(columns) -%}
    {%- for column, kind in columns -%}
        {%- if kind == 'decimal' -%}
            {%- set text = decimal_text(column) -%}
        {%- elif kind == 'instant' -%}
            {%- set text = 'cast(' ~ epoch_micros(column) ~ ' as string)' -%}
        {%- elif kind == 'boolean' -%}
            {%- set text = "case when " ~ column ~ " then 'true' else 'false' end" -%}
        {%- elif kind == 'integer' -%}
            {%- set text = 'cast(' ~ column ~ ' as string)' -%}
        {%- else -%}
            {%- set text = column -%}
        {%- endif -%}
        case when {{ column }} is null then '~' else '=' || {{ text }} end
        {%- if not loop.last %} || chr(31) || {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{# Decimal as text for people: no trailing zeros. #}
{% macro short_decimal_text(amount) -%}
    regexp_replace({{ decimal_text(amount) }}, '[.]?0+$', '')
{%- endmacro %}
