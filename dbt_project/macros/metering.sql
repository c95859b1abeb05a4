{#
  Metrics are data, the SQL that meters them is written from the price book when dbt
  compiles: one scan with the filters as plain predicates is what keeps metering near the
  cost of a bare group-by.
#}

{# Name of the set of keys that a product groups by; products that share a metric and a
   key set share rows. #}
{% macro key_set(pricing_group_keys, presentation_group_keys) -%}
    coalesce({{ pricing_group_keys }}, '') || '/' || coalesce({{ presentation_group_keys }}, '')
{%- endmacro %}

{# Rows of a query as a list of dicts; empty while parsing and before the first build. #}
{% macro fetch_rows(query) -%}
    {% set rows = [] %}
    {% if execute %}
        {% set result = run_query(query) %}
        {% for row in result.rows %}
            {% do rows.append(dict(zip(result.column_names, row.values()))) %}
        {% endfor %}
    {% endif %}
    {{ return(rows) }}
{%- endmacro %}

{# Columns property_* that the lake holds. #}
{% macro event_properties() -%}
    {% set found = [] %}
    {% if execute %}
        {% set relation = source('lake', 'events') %}
        {% for column in adapter.get_columns_in_relation(relation) %}
            {% if column.name.startswith('property_') %}
                {% do found.append(column.name[9:]) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return(found) }}
{%- endmacro %}

{% macro property_column(property) -%}
    {{ adapter.quote("property_" ~ property) }}
{%- endmacro %}

{# Value of an event property as text. The flat column is read first; files that landed
   before a metric asked for the key hold it in the JSON only. `flat` = event_properties(),
   asked for once: it is a question to the database. #}
{% macro event_property(property, flat) -%}
    {%- if property in flat -%}
        coalesce({{ property_column(property) }}, {{ json_text('properties', property) }})
    {%- else -%}
        {{ json_text('properties', property) }}
    {%- endif -%}
{%- endmacro %}

{% macro sql_literals(values) -%}
    {%- for value in values -%}
        {{ text_literal(value | trim) }}{% if not loop.last %}, {% endif %}
    {%- endfor -%}
{%- endmacro %}

{# Predicate over one event: does the metric count it? A missing property passes
   `not_in`, because it holds none of the listed values; what is no plain decimal passes
   no comparison. #}
{% macro metric_predicate(metric, filters, flat) -%}
    {%- set parts = [] -%}
    {%- if metric.aggregation == 'SQL' -%}
        {{ return('false') }}
    {%- endif -%}
    {%- if metric.event_types -%}
        {%- do parts.append('event_type in (' ~ sql_literals(metric.event_types.split('|')) ~ ')') -%}
    {%- endif -%}
    {%- if metric.excluded_event_types -%}
        {%- do parts.append(
            'event_type not in (' ~ sql_literals(metric.excluded_event_types.split('|')) ~ ')'
        ) -%}
    {%- endif -%}
    {%- set comparisons = {
        'greater_than': '>', 'greater_or_equal': '>=', 'less_than': '<', 'less_or_equal': '<='
    } -%}
    {%- for filter in filters if filter.metric_id == metric.metric_id -%}
        {%- set value = event_property(filter.property, flat) -%}
        {%- set listed = '(' ~ sql_literals((filter.property_values or '').split('|')) ~ ')' -%}
        {%- if filter.operator == 'exists' -%}
            {%- do parts.append(value ~ ' is not null') -%}
        {%- elif filter.operator == 'not_exists' -%}
            {%- do parts.append(value ~ ' is null') -%}
        {%- elif filter.operator == 'in' -%}
            {%- do parts.append('coalesce(' ~ value ~ ' in ' ~ listed ~ ', false)') -%}
        {%- elif filter.operator == 'not_in' -%}
            {%- do parts.append('coalesce(' ~ value ~ ' not in ' ~ listed ~ ', true)') -%}
        {%- elif filter.operator in comparisons -%}
            {%- do parts.append(
                'coalesce(' ~ parse_quantity(value) ~ ' ' ~ comparisons[filter.operator] ~ ' '
                ~ to_quantity(text_literal(filter.property_values | trim)) ~ ', false)'
            ) -%}
        {%- else -%}
            {{ exceptions.raise_compiler_error(
                'metric_filters: unknown operator ' ~ filter.operator ~ ' of metric ' ~ metric.metric_id
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return('(' ~ (parts | join(' and ') or 'true') ~ ')') }}
{%- endmacro %}

{# What metering does: one entry a metric with its predicate, value and key sets.
   A metric that no product prices is metered without keys, so that its usage shows up
   as unbilled instead of vanishing. #}
{% macro metering_plan() -%}
    {% set metrics = fetch_rows(
        'select metric_id, aggregation, aggregation_key, event_types, excluded_event_types, '
        ~ 'is_carried_forward from ' ~ ref('stg_catalog__billable_metrics') ~ ' order by metric_id'
    ) %}
    {% set filters = fetch_rows(
        'select metric_id, property, operator, property_values from '
        ~ ref('stg_catalog__metric_filters') ~ ' order by metric_id, property, operator'
    ) %}
    {% set key_sets = fetch_rows(
        'select distinct metric_id, key_set, pricing_group_keys, presentation_group_keys from '
        ~ ref('stg_catalog__products') ~ ' where metric_id is not null order by metric_id, key_set'
    ) %}
    {% set flat = event_properties() %}
    {% set plan = [] %}
    {% for metric in metrics %}
        {% set own = [] %}
        {% for row in key_sets if row.metric_id == metric.metric_id %}
            {% do own.append({
                'key_set': row.key_set,
                'pricing': (row.pricing_group_keys or '').split('|') | map('trim') | select | list,
                'presentation': (row.presentation_group_keys or '').split('|') | map('trim') | select | list,
            }) %}
        {% endfor %}
        {% do plan.append({
            'metric_id': metric.metric_id,
            'aggregation': metric.aggregation,
            'is_carried_forward': metric.is_carried_forward,
            'predicate': metric_predicate(metric, filters, flat),
            'value': metric_value(metric, flat),
            'sql_model': metric.aggregation_key if metric.aggregation == 'SQL' else none,
            'key_sets': own or [{'key_set': '/', 'pricing': [], 'presentation': []}],
        }) %}
    {% endfor %}
    {{ return(plan) }}
{%- endmacro %}

{# What the metric takes from one event. NULL = the event has nothing usable there: it is
   rejected, not zero. The change of a level is multiplied by microseconds: fifteen digits
   before the point keep every such product exact. #}
{% macro metric_value(metric, flat) -%}
    {%- if metric.aggregation in ('COUNT', 'SQL') -%}
        {{ return(to_quantity(1)) }}
    {%- elif metric.aggregation == 'UNIQUE' -%}
        {{ return(event_property(metric.aggregation_key, flat)) }}
    {%- elif metric.aggregation == 'TIME_WEIGHTED_SUM' -%}
        {{ return(parse_quantity(event_property(metric.aggregation_key, flat), 15)) }}
    {%- elif metric.aggregation in ('SUM', 'MAX', 'MIN', 'LATEST', 'AVG') -%}
        {{ return(parse_quantity(event_property(metric.aggregation_key, flat))) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            'billable_metrics: unknown aggregation ' ~ metric.aggregation ~ ' of metric ' ~ metric.metric_id
        ) }}
    {%- endif -%}
{%- endmacro %}

{# Why an event that the metric counts has nothing usable: reason and remedy; none for
   metrics that take nothing from the event. #}
{% macro value_refusal(metric) -%}
    {%- if metric.aggregation in ('COUNT', 'SQL') -%}
        {{ return(none) }}
    {%- elif metric.aggregation == 'UNIQUE' -%}
        {{ return({
            'reason': 'value_missing',
            'remedy': 'Send the property whose values metric ' ~ metric.metric_id ~ ' counts.',
        }) }}
    {%- else -%}
        {%- set digits = 15 if metric.aggregation == 'TIME_WEIGHTED_SUM' else 19 -%}
        {{ return({
            'reason': 'value_not_a_number',
            'remedy': 'Send the value that metric ' ~ metric.metric_id ~ ' takes as plain decimal text with at most '
            ~ digits ~ ' digits before and 12 after the point.',
        }) }}
    {%- endif -%}
{%- endmacro %}

{# What is kept of a metric's events of one hour, whatever period the hour will be in:
   sum, extreme, last value, number of distinct values, or the unit-hours that changes of
   a level add to their own hour. AVG keeps the sum; its count is `event_count`. #}
{% macro state_quantity(metric) -%}
    {%- if metric.aggregation in ('MAX', 'MIN') -%}
        {{ to_quantity(metric.aggregation | lower ~ '(' ~ metric.value ~ ')') }}
    {%- elif metric.aggregation == 'LATEST' -%}
        {{ to_quantity(latest_value(
            metric.value, ['event_at', 'transaction_id', 'landing_sequence', 'landing_row']
        )) }}
    {%- elif metric.aggregation == 'UNIQUE' -%}
        {{ to_quantity('count(distinct ' ~ metric.value ~ ')') }}
    {%- elif metric.aggregation == 'TIME_WEIGHTED_SUM' -%}
        {{ units_to_quantity(divide_rounded(
            'sum(' ~ quantity_units(metric.value) ~ ' * ' ~ rest_of_step('event_at', 'usage_hour') ~ ')',
            '3600000000'
        )) }}
    {%- else -%}
        {{ to_quantity('sum(' ~ metric.value ~ ')') }}
    {%- endif -%}
{%- endmacro %}

{# By how much the hour's events changed the level; NULL for metrics without one. #}
{% macro state_level_change(metric) -%}
    {{ to_quantity(
        'sum(' ~ metric.value ~ ')' if metric.aggregation == 'TIME_WEIGHTED_SUM' else 'null'
    ) }}
{%- endmacro %}

{# Columns that name a metered row, of the events in scope. #}
{% macro metered_keys(metric, keys, flat) -%}
    '{{ metric.metric_id }}' as metric_id,
        '{{ keys.key_set }}' as key_set,
        {{ group_values_json(keys.pricing, flat) }} as pricing_group_values,
        {{ group_values_json(keys.presentation, flat) }} as presentation_group_values
{%- endmacro %}

{# Canonical JSON object of an event's values for the given keys, keys sorted. #}
{% macro group_values_json(keys, flat) -%}
    {%- if not keys -%}
        '{}'
    {%- else -%}
        '{' {% for key in keys | sort %}
        || '{{ '' if loop.first else ',' }}"{{ key }}":' || {{ json_quote(event_property(key, flat)) }}
        {% endfor %} || '}'
    {%- endif -%}
{%- endmacro %}

{# The same object from the columns of an SQL metric's model. #}
{% macro column_values_json(keys) -%}
    {%- if not keys -%}
        '{}'
    {%- else -%}
        '{' {% for key in keys | sort %}
        || '{{ '' if loop.first else ',' }}"{{ key }}":'
        || {{ json_quote('cast(' ~ adapter.quote(key) ~ ' as string)') }}
        {% endfor %} || '}'
    {%- endif -%}
{%- endmacro %}

{# Without metrics (or when none of the kind): the columns, no rows. #}
{% macro no_metered_rows(relation, columns, states) -%}
    select
        {{ columns | join(', ') }},
        cast(null as string) as metric_id,
        cast(null as string) as key_set,
        cast(null as string) as pricing_group_values,
        cast(null as string) as presentation_group_values,
        {%- for state in states %}
        {{ 'cast(0 as bigint)' if state.endswith('_count') else to_quantity(0) }} as {{ state }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ relation }}
    where 1 = 0
{%- endmacro %}

{% macro no_metered_values(relation, columns) -%}
    select
        {{ columns | join(', ') }},
        cast(null as string) as metric_id,
        cast(null as string) as key_set,
        cast(null as string) as pricing_group_values,
        cast(null as string) as presentation_group_values,
        cast(null as string) as metered_value,
        event_date,
        usage_hour
    from {{ relation }}
    where 1 = 0
{%- endmacro %}

{# States of the hours that a relation's events are in, by invoice: each metric of events
   and each of its key sets in one query. #}
{% macro states_of_events(relation, states) -%}
    {%- set plan = metering_plan() | rejectattr('aggregation', 'equalto', 'SQL') | list -%}
    {%- set flat = event_properties() -%}
    {%- for metric in plan -%}
    {%- set last_metric = loop.last -%}
    {%- for keys in metric.key_sets -%}
    select
        invoice_id,
        customer_id,
        {{ metered_keys(metric, keys, flat) }},
        usage_hour,
        {{ state_quantity(metric) }} as quantity,
        {% if 'level_change' in states -%}
        {{ state_level_change(metric) }} as level_change,
        {% endif -%}
        cast(count(*) as bigint) as event_count
    from {{ relation }}
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    group by 1, 2, 3, 4, 5, 6, 7
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {%- endfor -%}
    {%- else -%}
    {{ no_metered_rows(relation, ['invoice_id', 'customer_id', 'usage_hour'], states) }}
    {%- endfor -%}
{%- endmacro %}

{# The values that UNIQUE metrics count, of a relation's events, by hour; `owners` are the
   columns that say whose they are. #}
{% macro values_of_events(relation, owners) -%}
    {%- set plan = metering_plan()
        | selectattr('aggregation', 'equalto', 'UNIQUE') | list -%}
    {%- set flat = event_properties() -%}
    {%- for metric in plan -%}
    {%- set last_metric = loop.last -%}
    {%- for keys in metric.key_sets -%}
    select distinct
        {{ owners | join(', ') }},
        {{ metered_keys(metric, keys, flat) }},
        {{ metric.value }} as metered_value,
        event_date,
        usage_hour
    from {{ relation }}
    where
        {{ metric.predicate }}
        and {{ metric.value }} is not null
    {% if not (last_metric and loop.last) -%}
    union all
    {% endif -%}
    {%- endfor -%}
    {%- else -%}
    {{ no_metered_values(relation, owners) }}
    {%- endfor -%}
{%- endmacro %}

{# Column of an SQL metric's model that says when its quantity was used. #}
{% macro sql_metric_instant(metric) -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- set found = adapter.get_columns_in_relation(ref(metric.sql_model)) | map(attribute='name') | list -%}
    {%- endif -%}
    {{ return('usage_at' if 'usage_at' in found else 'usage_hour') }}
{%- endmacro %}

{# Condition that an event reaches at least one metric with a usable value. #}
{% macro is_metered_by(plan) -%}
    {%- for metric in plan -%}
        ({{ metric.predicate }} and {{ metric.value }} is not null)
        {%- if not loop.last %} or {% endif -%}
    {%- else -%}
        false
    {%- endfor -%}
{%- endmacro %}

{# Days that this run meters again are emptied first; without a window that is all of
   them, so a plain `dbt build` is always the whole truth. #}
{% macro delete_metered_days() -%}
    {% if execute and is_incremental() %}
        delete from {{ this }} where {{ in_usage_window('event_date') }}
    {% endif %}
{%- endmacro %}

{# The same for tables whose rows are not of days alone. #}
{% macro delete_new_duplicates() -%}
    {% if execute and is_incremental() %}
        delete from {{ this }} where {{ is_new_landing('landing_sequence') }}
    {% endif %}
{%- endmacro %}

{% macro delete_rejections() -%}
    {% if execute and is_incremental() %}
        delete from {{ this }}
        where rejected_at_stage = 'landing' or {{ in_usage_window('rejection_date') }}
    {% endif %}
{%- endmacro %}

{# What the next run must know to make the table of new days only: each table keeps its
   own build, for a run may die between them. #}
{% macro remember_metered_build() -%}
    {{ return(adapter.dispatch('remember_metered_build', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__remember_metered_build() -%}
    create or replace table ops.{{ this.identifier }}_build as select * from ops.build
{%- endmacro %}
{# Spark meters all days each time (see metering_materialization). #}
{% macro spark__remember_metered_build() -%}
{%- endmacro %}

{% macro remember_duplicates_build() -%}
    {{ return(adapter.dispatch('remember_duplicates_build', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__remember_duplicates_build() -%}
    create or replace table ops.duplicates_build as
    select watermark, window_days from ops.build
{%- endmacro %}
{% macro spark__remember_duplicates_build() -%}
{%- endmacro %}

{# The hours of one period, metric and group in time, as a window. #}
{% macro series() -%}
    partition by
            period_id, metric_id, key_set, pricing_group_values, presentation_group_values
        order by usage_hour
{%- endmacro %}

{% macro series_so_far() -%}
    {{ series() }} rows between unbounded preceding and current row
{%- endmacro %}

{# Mean of a sum and its count, half away from zero at 12 places. #}
{% macro average(total, members) -%}
    {{ units_to_quantity(divide_rounded(quantity_units(total), members)) }}
{%- endmacro %}

{# Which metrics and key sets some price of today or of a close looks at event by event,
   and which properties it reads there. #}
{% macro event_plan(plan) -%}
    {% set wanted = fetch_rows(
        "select distinct products.metric_id, products.key_set, "
        ~ "coalesce(rates.price_property, '') as price_property, "
        ~ "coalesce(rates.amount_property, '') as amount_property from ("
        ~ event_priced_products() ~ ") as rates inner join "
        ~ ref('stg_catalog__products') ~ " as products "
        ~ "on rates.product_id = products.product_id order by 1, 2, 3, 4"
    ) %}
    {% set found = [] %}
    {% for metric in plan %}
        {% for keys in metric.key_sets %}
            {% for row in wanted if row.metric_id == metric.metric_id and row.key_set == keys.key_set %}
                {% do found.append({
                    'metric': metric, 'groups': keys, 'price_property': row.price_property,
                    'amount_property': row.amount_property,
                }) %}
            {% endfor %}
        {% endfor %}
    {% endfor %}
    {{ return(found) }}
{%- endmacro %}

{# Overwrites name their product in a specifier. #}
{% macro event_priced_products() -%}
    select product_id, price_property, amount_property from {{ ref('stg_catalog__rates') }}
    where {{ is_per_event() }}
    union
    select specifiers.product_id, overrides.price_property, overrides.amount_property
    from {{ ref('stg_catalog__overrides') }} as overrides
    inner join {{ ref('stg_catalog__override_specifiers') }} as specifiers
        on overrides.override_id = specifiers.override_id
    where {{ is_per_event('overrides.') }}
    union
    select product_id, price_property, amount_property from {{ ref('stg_books__frozen_rates') }}
    where product_id is not null and {{ is_per_event() }}
{%- endmacro %}

{# Price of a unit that an event carries; NULL where it carries none that fits the type. #}
{% macro carried_price(property, flat) -%}
    {%- if property -%}
        case
            when {{ matches(event_property(property, flat), '^[0-9]{1,6}([.][0-9]{1,12}0*)?$') }}
                then cast({{ event_property(property, flat) }} as {{ unit_price_type() }})
        end
    {%- else -%}
        cast(null as {{ unit_price_type() }})
    {%- endif -%}
{%- endmacro %}

{% macro carried_amount(property, flat) -%}
    {%- if property -%}
        cast({{ parse_quantity(event_property(property, flat)) }} as {{ amount_type() }})
    {%- else -%}
        cast(null as {{ amount_type() }})
    {%- endif -%}
{%- endmacro %}
