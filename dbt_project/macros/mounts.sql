{#
  Run start: the lake, the price book and the copies of the operations store are mounted
  as views, so that staging reads plain sources on either engine and a test can replace
  them. Nothing is copied; a view costs nothing until it is read.
#}
{% macro mount_inputs() %}
    {% if execute and flags.WHICH in ('build', 'run', 'seed', 'test', 'run-operation') %}
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
        cast({{ blank_to_null(column.name, type) }} as {{ type }}) as {{ column.name }}
        {%- else %}
        cast(null as {{ type }}) as {{ column.name }}
        {%- endif %}
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{% macro blank_to_null(name, type) -%}
    nullif(trim({{ name }}), '')
{%- endmacro %}

{% macro mount_catalog_table(source) %}
    {% set path = workspace_path('catalog/' ~ source.name ~ '.csv') %}
    {% set relation = 'catalog.' ~ source.name %}
    {% set present = csv_columns(path, source.name) %}
    {% if present is none %}
        {% do run_query(
            'create or replace view ' ~ relation ~ ' as select * from (select cast(null as bigint) as catalog_row, '
            ~ typed_columns(source, []) ~ ') as nothing where 1 = 0'
        ) %}
    {% else %}
        {% do run_query(
            'create or replace view ' ~ relation ~ ' as select ' ~ csv_row_number() ~ ' as catalog_row, '
            ~ typed_columns(source, present) ~ ' from ' ~ csv_relation(path, source.name)
        ) %}
    {% endif %}
{% endmacro %}

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
{% macro spark__csv_columns(path, name) -%}
    {% set present = var('catalog_tables', {}) %}
    {% if name not in present %}
        {{ return(none) }}
    {% endif %}
    {% do run_query(
        'create or replace temporary view catalog_' ~ name ~ ' using csv options (path "' ~ path
        ~ '", header "true", inferSchema "false", quote "\\"", escape "\\"", multiLine "true")'
    ) %}
    {% set described = run_query('describe catalog_' ~ name) %}
    {{ return(described.columns[0].values() | list) }}
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
    catalog_{{ name }}
{%- endmacro %}

{% macro csv_row_number() -%}
    {{ return(adapter.dispatch('csv_row_number', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__csv_row_number() -%}
    row_number() over () + 1
{%- endmacro %}
{% macro spark__csv_row_number() -%}
    cast(monotonically_increasing_id() + 2 as bigint)
{%- endmacro %}

{% macro mount_parquet(source) %}
    {% set path = source.meta.get('path') or source.config.meta.path %}
    {% do run_query(
        'create or replace view ' ~ source.source_name ~ '.' ~ source.name ~ ' as '
        ~ parquet_select(workspace_path(path), source)
    ) %}
{% endmacro %}

{% macro parquet_select(path, source) -%}
    {{ return(adapter.dispatch('parquet_select', 'meterhouse')(path, source)) }}
{%- endmacro %}
{% macro default__parquet_select(path, source) -%}
    {%- if '/*' in path or path.endswith('.parquet') -%}
    select * from read_parquet(
        '{{ path }}', union_by_name = true, hive_partitioning = {{ 'true' if '**' in path else 'false' }}
        {%- if '**' in path %}, hive_types = {'event_date': date}{% endif %}
    )
    {%- endif -%}
{%- endmacro %}
{% macro spark__parquet_select(path, source) -%}
    {% set folder = path.split('/*')[0] %}
    {% set view = source.source_name ~ '_' ~ source.name %}
    {% do run_query(
        'create or replace temporary view ' ~ view ~ ' using parquet options (path "' ~ folder
        ~ '", mergeSchema "true")'
    ) %}
    {{ return('select * from ' ~ view) }}
{%- endmacro %}

{# One row that says what this run is: the same inputs give the same build_id. #}
{% macro mount_build() %}
    {% set relation = 'ops.build' %}
    {% set catalog_hash = catalog_hash_sql() %}
    {% do run_query('drop table if exists ' ~ relation) %}
    {% do run_query(
        'create table ' ~ relation ~ " as with inputs as (select "
        ~ as_of() ~ ' as as_of, ' ~ catalog_hash ~ " as catalog_hash, "
        ~ "(select cast(coalesce(max(landing_sequence), 0) as bigint) from ops.landing_files "
        ~ "where state = 'landed') as watermark, '"
        ~ var('code_version', '0.1.0') ~ "' as code_version) "
        ~ 'select substr(' ~ sha256_text(content_text([
            ['as_of', 'instant'], ['catalog_hash', 'text'], ['watermark', 'integer'], ['code_version', 'text'],
        ])) ~ ', 1, 24) as build_id, as_of, catalog_hash, watermark, code_version from inputs'
    ) %}
{% endmacro %}

{% macro catalog_hash_sql() -%}
    {{ return(adapter.dispatch('catalog_hash_sql', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__catalog_hash_sql() -%}
    (
        select
            sha256(
                coalesce(
                    string_agg(
                        parse_filename(filename) || ':' || sha256(content), ',' order by parse_filename(filename)
                    ),
                    ''
                )
            )
        from read_text(['{{ workspace_path('catalog/*.csv') }}'])
    )
{%- endmacro %}
{# The command passes the same hash, computed in Python (orchestration.catalog). #}
{% macro spark__catalog_hash_sql() -%}
    '{{ var("catalog_hash") }}'
{%- endmacro %}
