{# The run's instant as a timestamp literal. #}
{% macro as_of() -%}
    cast('{{ as_of_text() }}' as timestamp)
{%- endmacro %}

{% macro as_of_text() -%}
    {%- set given = var('as_of') | string | trim -%}
    {%- if given -%}
        {%- set instant = modules.datetime.datetime.fromisoformat(given.replace('Z', '+00:00')) -%}
        {%- if instant.tzinfo is not none -%}
            {%- set instant = instant.astimezone(modules.pytz.utc) -%}
        {%- endif -%}
    {%- else -%}
        {%- set instant = run_started_at -%}
    {%- endif -%}
    {{ return(instant.strftime('%Y-%m-%d %H:%M:%S.%f')) }}
{%- endmacro %}

{# Restricts a scan to the days that this run meters again; all days when not told, or
   when the table is made from nothing. #}
{% macro in_usage_window(day) -%}
    {%- if var('usage_from') and var('usage_to') and is_incremental() -%}
        {{ day }} >= date '{{ var("usage_from") }}'
        and {{ day }} < date '{{ var("usage_to") }}'
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
