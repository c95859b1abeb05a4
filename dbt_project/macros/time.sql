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

{# First hour that has not begun at the run's instant: a level counts for the hours
   before it, the last of them whole. #}
{% macro usage_horizon() -%}
    {%- set instant = modules.datetime.datetime.fromisoformat(as_of_text()) -%}
    {%- set hour = instant.replace(minute=0, second=0, microsecond=0) -%}
    {%- if hour < instant -%}
        {%- set hour = hour + modules.datetime.timedelta(hours=1) -%}
    {%- endif -%}
    cast('{{ hour.strftime('%Y-%m-%d %H:%M:%S') }}' as timestamp)
{%- endmacro %}

{# Microseconds from the event to the end of its hour. #}
{% macro rest_of_hour(event_at, usage_hour) -%}
    (3600000000 - ({{ epoch_micros(event_at) }} - {{ epoch_micros(usage_hour) }}))
{%- endmacro %}

{# Whole hours between two instants on the hour. #}
{% macro hours_between(earlier, later) -%}
    {{ integer_divide(
        '(' ~ epoch_micros(later) ~ ' - ' ~ epoch_micros(earlier) ~ ')', '3600000000'
    ) }}
{%- endmacro %}
