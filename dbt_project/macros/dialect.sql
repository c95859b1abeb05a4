{# Engine-specific SQL stands here and nowhere else. DuckDB is the default, Spark the
   second engine; tests/engines/test_dialect.py holds each pair against the other. #}

{# Text as a SQL string literal. #}
{% macro text_literal(text) -%}
    {{ return(adapter.dispatch('text_literal', 'meterhouse')(text)) }}
{%- endmacro %}
{% macro default__text_literal(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}
{# A backslash is an escape there. #}
{% macro spark__text_literal(text) -%}
    '{{ text | replace('\\', '\\\\') | replace("'", "\\'") }}'
{%- endmacro %}

{# Without the spaces around it, Unicode's wide and hard ones included. #}
{% macro trim_text(text) -%}
    {{ return(adapter.dispatch('trim_text', 'meterhouse')(text)) }}
{%- endmacro %}
{% macro default__trim_text(text) -%}
    trim({{ text }})
{%- endmacro %}
{% macro spark__trim_text(text) -%}
    regexp_replace({{ text }}, '^\\p{Zs}+|\\p{Zs}+\\z', '')
{%- endmacro %}

{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches', 'meterhouse')(text, pattern)) }}
{%- endmacro %}
{% macro default__matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}
{# In Java `$` also matches before a last line break; only \z is the end of the text. #}
{% macro spark__matches(text, pattern) -%}
    {{ text }} rlike '{{ pattern | replace('$', '\\\\z') }}'
{%- endmacro %}

{% macro json_text(document, key) -%}
    {{ return(adapter.dispatch('json_text', 'meterhouse')(document, key)) }}
{%- endmacro %}
{% macro default__json_text(document, key) -%}
    json_extract_string({{ document }}, '$."{{ key }}"')
{%- endmacro %}
{% macro spark__json_text(document, key) -%}
    get_json_object({{ document }}, "$['{{ key }}']")
{%- endmacro %}

{# Text as a JSON string literal; NULL as null. Control characters stay as they are: the
   result is a key to join on and to read, equal on both engines. #}
{% macro json_quote(text) -%}
    coalesce(
        '"' || replace(replace({{ text }}, {{ backslash() }}, {{ backslash() }} || {{ backslash() }}), '"', {{ backslash() }} || '"') || '"',
        'null'
    )
{%- endmacro %}
{% macro backslash() -%}
    chr(92)
{%- endmacro %}

{# A key of json_quote as parsers want it, control characters escaped: usage may hold
   them, and one event must not stop a run. #}
{% macro escaped_controls(document) -%}
    {{ return(adapter.dispatch('escaped_controls', 'meterhouse')(document)) }}
{%- endmacro %}
{% macro default__escaped_controls(document) -%}
    array_to_string(
        list_transform(
            string_split({{ document }}, ''),
            lambda letter: case
                when ascii(letter) between 1 and 31
                    then {{ backslash() }} || printf('u%04x', ascii(letter))
                else letter
            end
        ),
        ''
    )
{%- endmacro %}
{% macro spark__escaped_controls(document) -%}
    array_join(
        transform(
            split({{ document }}, ''),
            letter -> case
                when ascii(letter) between 1 and 31
                    then {{ backslash() }} || 'u' || lpad(hex(ascii(letter)), 4, '0')
                else letter
            end
        ),
        ''
    )
{%- endmacro %}

{# A JSON object of one key. #}
{% macro json_object_of(key, value) -%}
    '{' || {{ json_quote(key) }} || ':' || {{ json_quote(value) }} || '}'
{%- endmacro %}

{# The key of such an object. #}
{% macro json_only_key(document) -%}
    substr({{ document }}, 3, position('":' in {{ document }}) - 3)
{%- endmacro %}

{# Members of a JSON object of texts, each between commas. A quote within a text is
   escaped, so a member stands in the object if and only if it is found in here; nothing
   is parsed, and any text may be in the usage. #}
{% macro json_members(document) -%}
    (',' || substr({{ document }}, 2, length({{ document }}) - 2) || ',')
{%- endmacro %}

{# `a=1|b=2` of a catalog cell as the canonical JSON object text, keys sorted; a pair
   `a=*` names any value and is left out. #}
{% macro key_values_json(cell) -%}
    {{ return(adapter.dispatch('key_values_json', 'meterhouse')(cell)) }}
{%- endmacro %}
{% macro default__key_values_json(cell) -%}
    case
        when coalesce({{ cell }}, '') = '' then '{}'
        else
            '{' || array_to_string(
                list_sort(
                    list_transform(
                        list_filter(
                            string_split({{ cell }}, '|'),
                            lambda pair: not ends_with(pair, '=*')
                        ),
                        lambda pair:
                            {{ json_quote(trim_text("split_part(pair, '=', 1)")) }} || ':'
                            || {{ json_quote(trim_text("substr(pair, strpos(pair, '=') + 1)")) }}
                    )
                ),
                ','
            ) || '}'
    end
{%- endmacro %}
{% macro spark__key_values_json(cell) -%}
    case
        when coalesce({{ cell }}, '') = '' then '{}'
        else
            '{' || array_join(
                array_sort(
                    transform(
                        filter(
                            split({{ cell }}, '[|]'),
                            pair -> not endswith(pair, '=*')
                        ),
                        pair ->
                            {{ json_quote(trim_text("split_part(pair, '=', 1)")) }} || ':'
                            || {{ json_quote(trim_text("substr(pair, instr(pair, '=') + 1)")) }}
                    )
                ),
                ','
            ) || '}'
    end
{%- endmacro %}

{# Keys of a JSON object, sorted, as `a|b`; '' when it has none. #}
{% macro json_key_list(document) -%}
    {{ return(adapter.dispatch('json_key_list', 'meterhouse')(document)) }}
{%- endmacro %}
{% macro default__json_key_list(document) -%}
    array_to_string(list_sort(json_keys({{ document }})), '|')
{%- endmacro %}
{% macro spark__json_key_list(document) -%}
    array_join(array_sort(json_object_keys({{ document }})), '|')
{%- endmacro %}

{# The canonical JSON object with the listed keys (`a|b`, sorted) of another one. #}
{% macro json_subset(document, keys) -%}
    {%- set subset_of = adapter.dispatch('json_subset', 'meterhouse') -%}
    case
        when {{ matches(document, '[\u0001-\u001f]') }}
            then {{ subset_of(escaped_controls(document), keys) }}
        else {{ subset_of(document, keys) }}
    end
{%- endmacro %}
{% macro default__json_subset(document, keys) -%}
    case
        when {{ keys }} = '' then '{}'
        else
            '{' || array_to_string(
                list_transform(
                    string_split({{ keys }}, '|'),
                    lambda key:
                        {{ json_quote('key') }} || ':'
                        || {{ json_quote("json_extract_string(" ~ document ~ ", '$.\"' || key || '\"')") }}
                ),
                ','
            ) || '}'
    end
{%- endmacro %}
{% macro spark__json_subset(document, keys) -%}
    case
        when {{ keys }} = '' then '{}'
        else
            '{' || array_join(
                transform(
                    split({{ keys }}, '[|]'),
                    key ->
                        {{ json_quote('key') }} || ':'
                        || {{ json_quote("get_json_object(" ~ document ~ ", '$[\\'' || key || '\\']')") }}
                ),
                ','
            ) || '}'
    end
{%- endmacro %}

{# `a|b|c` of a catalog cell, one row an element. #}
{% macro list_elements(cell) -%}
    {{ return(adapter.dispatch('list_elements', 'meterhouse')(cell)) }}
{%- endmacro %}
{% macro default__list_elements(cell) -%}
    unnest(string_split({{ cell }}, '|'))
{%- endmacro %}
{% macro spark__list_elements(cell) -%}
    explode(split({{ cell }}, '[|]'))
{%- endmacro %}

{# Does a `a|b|c` cell hold every element of another one? #}
{% macro list_has_all(cell, wanted) -%}
    {{ return(adapter.dispatch('list_has_all', 'meterhouse')(cell, wanted)) }}
{%- endmacro %}
{% macro default__list_has_all(cell, wanted) -%}
    list_has_all(string_split(coalesce({{ cell }}, ''), '|'), string_split({{ wanted }}, '|'))
{%- endmacro %}
{% macro spark__list_has_all(cell, wanted) -%}
    size(array_except(split({{ wanted }}, '[|]'), split(coalesce({{ cell }}, ''), '[|]'))) = 0
{%- endmacro %}

{% macro list_size(cell) -%}
    (length({{ cell }}) - length(replace({{ cell }}, '|', '')) + 1)
{%- endmacro %}

{# Is the element in the `a|b|c` cell? NULL cell = everything. #}
{% macro list_allows(cell, element) -%}
    (
        {{ cell }} is null
        or contains('|' || {{ cell }} || '|', '|' || {{ element }} || '|')
    )
{%- endmacro %}

{# Quotient of two integers, the remainder dropped. #}
{% macro integer_divide(dividend, divisor) -%}
    {{ return(adapter.dispatch('integer_divide', 'meterhouse')(dividend, divisor)) }}
{%- endmacro %}
{% macro default__integer_divide(dividend, divisor) -%}
    ({{ dividend }} // {{ divisor }})
{%- endmacro %}
{% macro spark__integer_divide(dividend, divisor) -%}
    ({{ dividend }} div {{ divisor }})
{%- endmacro %}

{# An exact integer of up to 38 digits. #}
{% macro wide_integer(expression) -%}
    {{ return(adapter.dispatch('wide_integer', 'meterhouse')(expression)) }}
{%- endmacro %}
{% macro default__wide_integer(expression) -%}
    cast({{ expression }} as hugeint)
{%- endmacro %}
{% macro spark__wide_integer(expression) -%}
    cast({{ expression }} as decimal(38, 0))
{%- endmacro %}

{# Stops the run with a message. It names a column: a message that is the same for every
   row might be raised before any row asks for it. #}
{% macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'meterhouse')(message)) }}
{%- endmacro %}
{% macro default__raise_error(message) -%}
    error({{ message }})
{%- endmacro %}
{% macro spark__raise_error(message) -%}
    raise_error({{ message }})
{%- endmacro %}

{# Quotient of two wide integers, the remainder dropped. On Spark `div` ends at 64 bits
   and `/` rounds: only what divides without a remainder is divided. #}
{% macro wide_quotient(dividend, divisor) -%}
    {{ return(adapter.dispatch('wide_quotient', 'meterhouse')(dividend, divisor)) }}
{%- endmacro %}
{% macro default__wide_quotient(dividend, divisor) -%}
    ({{ dividend }} // {{ divisor }})
{%- endmacro %}
{% macro spark__wide_quotient(dividend, divisor) -%}
    cast(
        cast({{ dividend }} - {{ dividend }} % {{ divisor }} as decimal(38, 0))
        / cast({{ divisor }} as decimal(38, 0)) as decimal(38, 0)
    )
{%- endmacro %}

{# Value of the row that comes last in the order of the columns, which hold no NULL. #}
{% macro latest_value(value, columns) -%}
    {{ return(adapter.dispatch('latest_value', 'meterhouse')(value, columns)) }}
{%- endmacro %}
{% macro default__latest_value(value, columns) -%}
    arg_max({{ value }}, row({{ columns | join(', ') }}))
{%- endmacro %}
{% macro spark__latest_value(value, columns) -%}
    max_by({{ value }}, struct({{ columns | join(', ') }}))
{%- endmacro %}

{# One row for each metering step from the first to the last, which is not before it. #}
{% macro each_step(first, last) -%}
    {{ return(adapter.dispatch('each_step', 'meterhouse')(first, last)) }}
{%- endmacro %}
{% macro default__each_step(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}, to_minutes({{ grain_minutes() }})))
{%- endmacro %}
{% macro spark__each_step(first, last) -%}
    explode(sequence({{ first }}, {{ last }}, make_dt_interval(0, 0, {{ grain_minutes() }}, 0)))
{%- endmacro %}

{# Beginning of the quarter of an hour that holds an instant. #}
{% macro quarter_hour(instant) -%}
    {{ return(adapter.dispatch('quarter_hour', 'meterhouse')(instant)) }}
{%- endmacro %}
{% macro default__quarter_hour(instant) -%}
    time_bucket(interval '15 minutes', {{ instant }})
{%- endmacro %}
{% macro spark__quarter_hour(instant) -%}
    timestamp_seconds(unix_seconds({{ instant }}) - pmod(unix_seconds({{ instant }}), 900))
{%- endmacro %}

{# `order_by` holds no NULL: engines put them at different ends. #}
{% macro ordered_concat(expression, order_by) -%}
    {{ return(adapter.dispatch('ordered_concat', 'meterhouse')(expression, order_by)) }}
{%- endmacro %}
{% macro default__ordered_concat(expression, order_by) -%}
    string_agg({{ expression }}, ',' order by {{ order_by }})
{%- endmacro %}
{% macro spark__ordered_concat(expression, order_by) -%}
    listagg({{ expression }}, ',') within group (order by {{ order_by }})
{%- endmacro %}

{% macro sha256_text(expression) -%}
    {{ return(adapter.dispatch('sha256_text', 'meterhouse')(expression)) }}
{%- endmacro %}
{% macro default__sha256_text(expression) -%}
    sha256({{ expression }})
{%- endmacro %}
{% macro spark__sha256_text(expression) -%}
    sha2({{ expression }}, 256)
{%- endmacro %}

{# Fast 64-bit hash, only to find candidates within one query; never stored, because
   neither engine promises its value from one version to the next. #}
{% macro candidate_hash(expression) -%}
    {{ return(adapter.dispatch('candidate_hash', 'meterhouse')(expression)) }}
{%- endmacro %}
{% macro default__candidate_hash(expression) -%}
    hash({{ expression }})
{%- endmacro %}
{% macro spark__candidate_hash(expression) -%}
    xxhash64({{ expression }})
{%- endmacro %}

{# Text of a UTC instant, in any of the forms that the price book allows, as a timestamp. #}
{% macro to_instant(text) -%}
    {{ return(adapter.dispatch('to_instant', 'meterhouse')(text)) }}
{%- endmacro %}
{% macro default__to_instant(text) -%}
    cast({{ text }} as timestamp)
{%- endmacro %}
{# An instant without seconds would be NULL there. #}
{% macro spark__to_instant(text) -%}
    cast(
        regexp_replace(
            regexp_replace({{ text }}, '(Z|[+]00:00)$', ''), '([T ][0-9]{2}:[0-9]{2})$', '$1:00'
        ) as timestamp
    )
{%- endmacro %}

{% macro epoch_micros(instant) -%}
    {{ return(adapter.dispatch('epoch_micros', 'meterhouse')(instant)) }}
{%- endmacro %}
{% macro default__epoch_micros(instant) -%}
    epoch_us({{ instant }})
{%- endmacro %}
{% macro spark__epoch_micros(instant) -%}
    unix_micros({{ instant }})
{%- endmacro %}

{% macro from_epoch_seconds(seconds) -%}
    {{ return(adapter.dispatch('from_epoch_seconds', 'meterhouse')(seconds)) }}
{%- endmacro %}
{% macro default__from_epoch_seconds(seconds) -%}
    make_timestamp(cast({{ seconds }} as bigint) * 1000000)
{%- endmacro %}
{% macro spark__from_epoch_seconds(seconds) -%}
    timestamp_seconds(cast({{ seconds }} as bigint))
{%- endmacro %}

{% macro add_months(instant, months) -%}
    {{ return(adapter.dispatch('add_months', 'meterhouse')(instant, months)) }}
{%- endmacro %}
{% macro default__add_months(instant, months) -%}
    ({{ instant }} + to_months(cast({{ months }} as integer)))
{%- endmacro %}
{% macro spark__add_months(instant, months) -%}
    ({{ instant }} + make_ym_interval(0, cast({{ months }} as int)))
{%- endmacro %}

{% macro add_hours(instant, hours) -%}
    {{ return(adapter.dispatch('add_hours', 'meterhouse')(instant, hours)) }}
{%- endmacro %}
{% macro default__add_hours(instant, hours) -%}
    ({{ instant }} + to_hours(cast({{ hours }} as integer)))
{%- endmacro %}
{% macro spark__add_hours(instant, hours) -%}
    ({{ instant }} + make_dt_interval(0, cast({{ hours }} as int), 0, 0))
{%- endmacro %}

{% macro add_minutes(instant, minutes) -%}
    {{ return(adapter.dispatch('add_minutes', 'meterhouse')(instant, minutes)) }}
{%- endmacro %}
{% macro default__add_minutes(instant, minutes) -%}
    ({{ instant }} + to_minutes(cast({{ minutes }} as integer)))
{%- endmacro %}
{% macro spark__add_minutes(instant, minutes) -%}
    ({{ instant }} + make_dt_interval(0, 0, cast({{ minutes }} as int), 0))
{%- endmacro %}

{% macro add_days(day, days) -%}
    {{ return(adapter.dispatch('add_days', 'meterhouse')(day, days)) }}
{%- endmacro %}
{% macro default__add_days(day, days) -%}
    cast({{ day }} + to_days(cast({{ days }} as integer)) as date)
{%- endmacro %}
{% macro spark__add_days(day, days) -%}
    date_add({{ day }}, cast({{ days }} as int))
{%- endmacro %}

{% macro month_text(instant) -%}
    {{ return(adapter.dispatch('month_text', 'meterhouse')(instant)) }}
{%- endmacro %}
{% macro default__month_text(instant) -%}
    strftime({{ instant }}, '%Y-%m')
{%- endmacro %}
{% macro spark__month_text(instant) -%}
    date_format({{ instant }}, 'yyyy-MM')
{%- endmacro %}

{# Statement that adds a column to a table that no model owns. #}
{% macro add_column(table, column, type) -%}
    {{ return(adapter.dispatch('add_column', 'meterhouse')(table, column, type)) }}
{%- endmacro %}
{% macro default__add_column(table, column, type) -%}
    alter table {{ table }} add column {{ column }} {{ type }}
{%- endmacro %}
{% macro spark__add_column(table, column, type) -%}
    alter table {{ table }} add columns ({{ column }} {{ type }})
{%- endmacro %}

{# The rows of the later batches only are read again by DuckDB; Spark rebuilds the table
   (parquet tables there know no delete). #}
{% macro metering_materialization() -%}
    {{ return(adapter.dispatch('metering_materialization', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__metering_materialization() -%}
    {{ return('incremental') }}
{%- endmacro %}
{% macro spark__metering_materialization() -%}
    {{ return('table') }}
{%- endmacro %}

{# Views that many models stand on. Spark analyses a view anew with everything below it,
   wherever it is named: a few layers take it minutes, so there they are tables. #}
{% macro deep_view() -%}
    {{ return(adapter.dispatch('deep_view', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__deep_view() -%}
    {{ return('view') }}
{%- endmacro %}
{% macro spark__deep_view() -%}
    {{ return('table') }}
{%- endmacro %}

{# How a table that no model owns is stored. #}
{% macro storage_clause() -%}
    {{ return(adapter.dispatch('storage_clause', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__storage_clause() -%}
{%- endmacro %}
{% macro spark__storage_clause() -%}
    using parquet
{%- endmacro %}

{% macro add_seconds(instant, seconds) -%}
    {{ return(adapter.dispatch('add_seconds', 'meterhouse')(instant, seconds)) }}
{%- endmacro %}
{% macro default__add_seconds(instant, seconds) -%}
    ({{ instant }} + to_seconds({{ seconds }}))
{%- endmacro %}
{% macro spark__add_seconds(instant, seconds) -%}
    ({{ instant }} + make_dt_interval(0, 0, 0, {{ seconds }}))
{%- endmacro %}

{% macro date_text(instant) -%}
    cast(cast({{ instant }} as date) as string)
{%- endmacro %}

{% macro json_path_text(document, parent, key) -%}
    {{ return(adapter.dispatch('json_path_text', 'meterhouse')(document, parent, key)) }}
{%- endmacro %}
{% macro default__json_path_text(document, parent, key) -%}
    json_extract_string({{ document }}, '$."{{ parent }}"."{{ key }}"')
{%- endmacro %}
{% macro spark__json_path_text(document, parent, key) -%}
    get_json_object({{ document }}, "$['{{ parent }}']['{{ key }}']")
{%- endmacro %}

{% macro json_line_count(document) -%}
    {{ return(adapter.dispatch('json_line_count', 'meterhouse')(document)) }}
{%- endmacro %}
{% macro default__json_line_count(document) -%}
    cast(json_array_length({{ document }}, '$.lines.data') as bigint)
{%- endmacro %}
{% macro spark__json_line_count(document) -%}
    cast(json_array_length(get_json_object({{ document }}, '$.lines.data')) as bigint)
{%- endmacro %}

{% macro parquet_file(path) -%}
    {{ return(adapter.dispatch('parquet_file', 'meterhouse')(path)) }}
{%- endmacro %}
{% macro default__parquet_file(path) -%}
    read_parquet('{{ path }}')
{%- endmacro %}
{% macro spark__parquet_file(path) -%}
    parquet.`{{ path }}`
{%- endmacro %}

{# Loads a seed. dbt-spark's own way writes a blank cell as the text 'None' and breaks on
   an apostrophe. #}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set rows = [] -%}
    {%- for row in agate_table.rows -%}
        {%- set cells = [] -%}
        {%- for name in agate_table.column_names -%}
            {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
            {%- set cell = 'null' if row[name] is none else text_literal(row[name] | string) -%}
            {%- do cells.append('cast(' ~ cell ~ ' as ' ~ type ~ ')') -%}
        {%- endfor -%}
        {%- do rows.append('(' ~ cells | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- set sql = 'insert into ' ~ this.render() ~ ' values ' ~ rows | join(', ') -%}
    {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {{ return(sql) }}
{%- endmacro %}

{# The calendar day of a UTC instant in an IANA time zone. #}
{% macro local_date(instant, time_zone) -%}
    {{ return(adapter.dispatch('local_date', 'meterhouse')(instant, time_zone)) }}
{%- endmacro %}
{% macro default__local_date(instant, time_zone) -%}
    cast(timezone({{ time_zone }}, timezone('UTC', {{ instant }})) as date)
{%- endmacro %}
{% macro spark__local_date(instant, time_zone) -%}
    cast(from_utc_timestamp({{ instant }}, {{ time_zone }}) as date)
{%- endmacro %}
