{#
  Run start: the lake, the price book and the copies of the operations store are mounted
  as views (on Spark: external tables), so that staging reads plain sources on either
  engine and a test can replace them. Nothing is copied.
#}
{% macro mount_inputs() %}
    {% if execute and flags.WHICH in ('build', 'run', 'seed', 'test', 'run-operation') %}
        {{ keep_own_sql() }}
        {% for schema in ('lake', 'catalog', 'ops', 'books') %}
            {% do run_query('create schema if not exists ' ~ schema) %}
        {% endfor %}
        {% for source in graph.sources.values() %}
            {% if source.source_name == 'catalog' %}
                {{ mount_catalog_table(source) }}
            {% elif source.source_name in ('lake', 'ops') and source.name != 'build' %}
                {{ mount_parquet(source) }}
            {% endif %}
        {% endfor %}
        {{ mount_build() }}
    {% endif %}
{% endmacro %}

{# dbt writes compiled SQL to its target path joined with the path of the source: an
   absolute one wins, and the source is overwritten. The command sees to it itself. #}
{% macro keep_own_sql() %}
    {% for node in graph.nodes.values() if node.original_file_path.startswith('/') %}
        {{ exceptions.raise_compiler_error(
            node.original_file_path ~ ' would be overwritten by dbt: name METERHOUSE_MODELS relative to '
            ~ 'the project, like workspace/models, or use the command meterhouse.'
        ) }}
    {% endfor %}
{% endmacro %}

{% macro workspace_path(path) -%}
    {{ return(env_var('METERHOUSE_WORKSPACE', 'workspace') ~ '/' ~ path) }}
{%- endmacro %}

{% macro sql_type(data_type) -%}
    {{ return('string' if data_type == 'varchar' else data_type) }}
{%- endmacro %}

{% macro typed_columns(source, present, quoted=true) -%}
    {%- for column in source.columns.values() %}
        {%- set type = sql_type(column.data_type) %}
        {%- if column.name in present %}
        {%- if type == 'timestamp' %}
        {{ to_instant(blank_to_null(column.name, type)) }} as {{ column.name }}
        {%- else %}
        cast({{ blank_to_null(column.name, type) }} as {{ type }}) as {{ column.name }}
        {%- endif %}
        {%- else %}
        cast(null as {{ type }}) as {{ column.name }}
        {%- endif %}
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{% macro blank_to_null(name, type) -%}
    nullif({{ trim_text(name) }}, '')
{%- endmacro %}

{% macro mount_catalog_table(source) %}
    {% set path = workspace_path('catalog/' ~ source.name ~ '.csv') %}
    {% set relation = 'catalog.' ~ source.name %}
    {% set present = csv_columns(path, source.name) %}
    {% if present is none %}
        {% do mount(relation, [
            'create or replace view ' ~ relation ~ ' as select * from (select cast(null as bigint) as catalog_row, '
            ~ typed_columns(source, []) ~ ') as nothing where 1 = 0'
        ]) %}
    {% else %}
        {% do mount(relation, csv_statements(path, source.name, present) + [
            'create or replace view ' ~ relation ~ ' as select ' ~ csv_row_number() ~ ' as catalog_row, '
            ~ typed_columns(source, present) ~ ' from ' ~ csv_relation(path, source.name)
        ], csv_relation(path, source.name)) %}
    {% endif %}
{% endmacro %}

{# Run the statements that mount a relation over `files`. #}
{% macro mount(relation, statements, files=none) -%}
    {{ return(adapter.dispatch('mount', 'meterhouse')(relation, statements, files)) }}
{%- endmacro %}
{% macro default__mount(relation, statements, files=none) -%}
    {% for statement in statements %}{% do run_query(statement) %}{% endfor %}
{%- endmacro %}
{# Spark's metastore takes a third of a second a mount: what stands as it would be made
   again is only told that its files may have changed. #}
{% macro spark__mount(relation, statements, files=none) -%}
    {% set schema, name = relation.split('.') %}
    {% set mark = local_md5(statements | join(';')) %}
    {% set found = adapter.get_relation(none, schema, name) %}
    {% if found is none or mark not in found.information %}
        {% for statement in statements %}{% do run_query(statement) %}{% endfor %}
        {% do run_query(
            'alter ' ~ ('table ' if files == relation else 'view ') ~ relation
            ~ " set tblproperties ('mounted' = '" ~ mark ~ "')"
        ) %}
    {% elif files %}
        {% do run_query('refresh table ' ~ files) %}
    {% endif %}
{%- endmacro %}

{# Header of a catalog file; none when the file is missing. #}
{% macro csv_columns(path, name) -%}
    {{ return(adapter.dispatch('csv_columns', 'meterhouse')(path, name)) }}
{%- endmacro %}
{% macro default__csv_columns(path, name) -%}
    {% set found = run_query("select count(*) as files from glob('" ~ path ~ "')") %}
    {% if found.columns[0].values()[0] == 0 %}
        {{ return(none) }}
    {% endif %}
    {% set described = run_query('describe select * from ' ~ csv_relation(path, name)) %}
    {{ return(described.columns[0].values() | list) }}
{%- endmacro %}
{# Spark can't ask which files there are: the command says it (orchestration/spark.py). #}
{% macro spark__csv_columns(path, name) -%}
    {{ return(var('catalog_tables')[name] or none) }}
{%- endmacro %}

{# What must be made before a view can read the file. #}
{% macro csv_statements(path, name, columns) -%}
    {{ return(adapter.dispatch('csv_statements', 'meterhouse')(path, name, columns)) }}
{%- endmacro %}
{% macro default__csv_statements(path, name, columns) -%}
    {{ return([]) }}
{%- endmacro %}
{# A permanent view may not stand on a temporary one, so each file is an external table. #}
{% macro spark__csv_statements(path, name, columns) -%}
    {{ return([
        'drop table if exists ' ~ csv_relation(path, name),
        'create table ' ~ csv_relation(path, name) ~ ' (`' ~ columns | join('` string, `')
        ~ '` string) using csv options (path ' ~ text_literal(path)
        ~ ', header "true", quote "\\"", escape "\\"", multiLine "true", mode "FAILFAST")',
    ]) }}
{%- endmacro %}

{% macro csv_relation(path, name) -%}
    {{ return(adapter.dispatch('csv_relation', 'meterhouse')(path, name)) }}
{%- endmacro %}
{% macro default__csv_relation(path, name) -%}
    read_csv(
        '{{ path }}', header = true, all_varchar = true, delim = ',', quote = '"',
        escape = '"', nullstr = ''
    )
{%- endmacro %}
{% macro spark__csv_relation(path, name) -%}
    catalog.{{ name }}_file
{%- endmacro %}

{% macro csv_row_number() -%}
    {{ return(adapter.dispatch('csv_row_number', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__csv_row_number() -%}
    row_number() over () + 1
{%- endmacro %}
{# One file is one task, so the rows come in the order of the file. An id that Spark calls
   non-deterministic would keep it from inlining CTEs over the price book. #}
{% macro spark__csv_row_number() -%}
    cast(row_number() over (order by 1) + 1 as bigint)
{%- endmacro %}

{% macro mount_parquet(source) %}
    {% set path = source.meta.get('path') or source.config.meta.path %}
    {% set relation = source.source_name ~ '.' ~ source.name %}
    {% do mount(relation, parquet_statements(relation, workspace_path(path)), relation) %}
{% endmacro %}

{% macro parquet_statements(relation, path) -%}
    {{ return(adapter.dispatch('parquet_statements', 'meterhouse')(relation, path)) }}
{%- endmacro %}
{% macro default__parquet_statements(relation, path) -%}
    {{ return([
        'create or replace view ' ~ relation ~ " as select * from read_parquet('" ~ path
        ~ "', union_by_name = true, hive_partitioning = " ~ ('true' if '**' in path else 'false')
        ~ (", hive_types = {'event_date': date}" if '**' in path else '') ~ ')'
    ]) }}
{%- endmacro %}
{# An external table with its columns said by the command: Spark passes over the zero-row
   `_schema.parquet` and could not tell the columns of a lake without rows. #}
{% macro spark__parquet_statements(relation, path) -%}
    {{ return([
        'drop table if exists ' ~ relation,
        'create table ' ~ relation ~ ' (' ~ var('parquet_columns')[relation]
        ~ (', event_date date' if '**' in path else '')
        ~ ') using parquet ' ~ ('partitioned by (event_date) ' if '**' in path else '')
        ~ 'location ' ~ text_literal(path.split('/*')[0]),
    ]) }}
{%- endmacro %}

{# One row that says what this run is: the same inputs give the same build_id. #}
{% macro mount_build() %}
    {% set relation = 'ops.build' %}
    {% do remember_catalog_files() %}
    {% set catalog_hash = catalog_hash_sql() %}
    {% do run_query('drop table if exists ' ~ relation) %}
    {% do run_query(
        'create table ' ~ relation ~ " as with inputs as (select "
        ~ as_of() ~ ' as as_of, ' ~ catalog_hash ~ " as catalog_hash, "
        ~ "(select cast(coalesce(max(landing_sequence), 0) as bigint) from ops.landing_files "
        ~ "where state = 'landed') as watermark, '"
        ~ var('code_version', '0.1.0') ~ "' as code_version, '"
        ~ var('stripe_mode') ~ "' as stripe_mode, '"
        ~ var('metering_grain') ~ "' as metering_grain, "
        ~ var('dedup_window_days') ~ " as window_days) "
        ~ 'select substr(' ~ sha256_text(content_text([
            ['as_of', 'instant'], ['catalog_hash', 'text'], ['watermark', 'integer'], ['code_version', 'text'],
            ['metering_grain', 'text'],
        ])) ~ ', 1, 24) as build_id, as_of, catalog_hash, watermark, code_version, stripe_mode, '
        ~ 'metering_grain, window_days from inputs'
    ) %}
{% endmacro %}

{# Which files the hash of the build is made of: `meterhouse diff` tells an edit by them. #}
{% macro remember_catalog_files() -%}
    {{ return(adapter.dispatch('remember_catalog_files', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__remember_catalog_files() -%}
    {% do run_query(
        'create or replace table ops.catalog_files as '
        ~ 'select parse_filename(filename) as catalog_file, sha256(content) as content_hash '
        ~ "from read_text(['" ~ workspace_path('catalog/*.csv') ~ "'])"
    ) %}
{%- endmacro %}
{% macro spark__remember_catalog_files() -%}
{%- endmacro %}

{% macro catalog_hash_sql() -%}
    {{ return(adapter.dispatch('catalog_hash_sql', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__catalog_hash_sql() -%}
    (
        select sha256(coalesce(string_agg(catalog_file || ':' || content_hash, ',' order by catalog_file), ''))
        from ops.catalog_files
    )
{%- endmacro %}
{# The command passes the same hash, computed in Python (orchestration.catalog). #}
{% macro spark__catalog_hash_sql() -%}
    '{{ var("catalog_hash") }}'
{%- endmacro %}
