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

{# Does this run meter some days again, and not all: is it told which, and is there a
   table to add to? #}
{% macro meters_a_window() -%}
    {{ return(var('usage_from') != '' and var('usage_to') != '' and is_incremental()) }}
{%- endmacro %}

{# Restricts a scan to the days that this run meters again. #}
{% macro in_usage_window(day) -%}
    {%- if meters_a_window() -%}
        {{ day }} >= date '{{ var("usage_from") }}'
        and {{ day }} < date '{{ var("usage_to") }}'
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Are duplicates looked for among new landings alone? By a watermark of their own: what
   is metered may have been made again without them. #}
{% macro finds_new_duplicates() -%}
    {{ return(var('duplicates_from') != '' and is_incremental()) }}
{%- endmacro %}

{# Restricts a scan to the days of new landings and of what they may repeat. #}
{% macro in_duplicate_window(day) -%}
    {%- if finds_new_duplicates() -%}
        {{ day }} >= date '{{ var("duplicates_from") }}'
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Restricts the look at all ids to those that new landings have, too. #}
{% macro is_new_id(transaction_id, events) -%}
    {%- if finds_new_duplicates() -%}
        {{ candidate_hash(transaction_id) }} in (
            select {{ candidate_hash('landed.transaction_id') }}
            from {{ events }} as landed
            where {{ is_new_landing('landed.landing_sequence') }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# What landed since duplicates were last looked for. #}
{% macro is_new_landing(landing_sequence) -%}
    {%- if finds_new_duplicates() -%}
        {{ landing_sequence }} > {{ var('landed_after') | int }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Minutes of the workspace's metering grain. `usage_hour` is the beginning of a step of
   that many minutes; the usual step is the hour, and models call any step so. #}
{% macro grain_minutes() -%}
    {%- set minutes = {'15 minutes': 15, 'hour': 60, 'day': 1440} -%}
    {%- if var('metering_grain') not in minutes -%}
        {{ exceptions.raise_compiler_error(
            "metering_grain is '" ~ var('metering_grain') ~ "': write hour, 15 minutes or day"
        ) }}
    {%- endif -%}
    {{ return(minutes[var('metering_grain')]) }}
{%- endmacro %}

{# Beginning of the step that holds an instant. #}
{% macro usage_step(instant) -%}
    {%- if grain_minutes() == 15 -%}
        {{ quarter_hour(instant) }}
    {%- else -%}
        cast(date_trunc('{{ var("metering_grain") }}', {{ instant }}) as timestamp)
    {%- endif -%}
{%- endmacro %}

{# Instant a number of steps later. #}
{% macro add_steps(instant, steps) -%}
    {{ add_minutes(instant, steps * grain_minutes()) }}
{%- endmacro %}

{# What a level costs in unit-hours in each step that it lasts. #}
{% macro level_in_steps(level, steps='1') -%}
    {%- if grain_minutes() == 60 and steps == '1' -%}
        {{ level }}
    {%- else -%}
        ({{ level }})
        * cast({{ steps }} as decimal(7, 0))
        {%- if grain_minutes() != 60 %} * cast({{ {15: '0.25', 1440: '24'}[grain_minutes()] }} as decimal(4, 2)){% endif %}
    {%- endif -%}
{%- endmacro %}

{# First step that has not begun at the run's instant: a level counts for the steps
   before it, the last of them whole. #}
{% macro usage_horizon() -%}
    {%- set instant = modules.datetime.datetime.fromisoformat(as_of_text()) -%}
    {%- set step = modules.datetime.timedelta(minutes=grain_minutes()) -%}
    {%- set midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0) -%}
    {%- set horizon = midnight + step * (-((midnight - instant) // step)) -%}
    cast('{{ horizon.strftime('%Y-%m-%d %H:%M:%S') }}' as timestamp)
{%- endmacro %}

{# Microseconds from the event to the end of its step. #}
{% macro rest_of_step(event_at, usage_hour) -%}
    (
        {{ grain_minutes() * 60000000 }}
        - ({{ epoch_micros(event_at) }} - {{ epoch_micros(usage_hour) }})
    )
{%- endmacro %}

{# Steps between two instants on the grain. #}
{% macro steps_between(earlier, later) -%}
    {{ integer_divide(
        '(' ~ epoch_micros(later) ~ ' - ' ~ epoch_micros(earlier) ~ ')',
        grain_minutes() * 60000000
    ) }}
{%- endmacro %}

{# Whole seconds between two instants, as an integer that multiplies exactly. #}
{% macro seconds_of(earlier, later) -%}
    {{ wide_integer(integer_divide(
        '(' ~ epoch_micros(later) ~ ' - ' ~ epoch_micros(earlier) ~ ')', '1000000'
    )) }}
{%- endmacro %}

{# An amount's exact share of time: as many seconds of the full ones as are given. All
   three are columns, for their expressions stand in the SQL several times. #}
{% macro share_of_time(amount, seconds, full_seconds) -%}
    {{ to_amount(units_to_quantity(divide_rounded(
        '(' ~ seconds ~ ' * (' ~ quantity_units(amount) ~ '))', full_seconds, "'half_up'"
    ))) }}
{%- endmacro %}
