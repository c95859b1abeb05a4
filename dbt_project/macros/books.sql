{#
  The books: append-only tables that no model owns. Made here at run start, read as the
  source `books`, written by `close_books` alone. A row counts only when its close_id
  stands in books.closes, whose row is written last.
#}
{% macro books_tables() %}
    {% set tables = books_tables_at_first() %}
    {% for version, name, columns in books_columns_added() %}
        {% for table, added in columns.items() %}
            {% do tables.setdefault(table, []).extend(added) %}
        {% endfor %}
    {% endfor %}
    {{ return(tables) }}
{% endmacro %}

{# Numbered, never edited once released: a later version appends its own entry. A table
   that is named first in a version is made by it. #}
{% macro books_columns_added() %}
    {{ return([
        [2, 'prices of packages, flat amounts of tiers', {
            'frozen_rates': [['package_size', 'integer'], ['package_rounding', 'string']],
            'frozen_rate_tiers': [['flat_amount', amount_type()]],
        }],
        [3, 'versions of products, overrides, free units, scopes, discounts, limits', {
            'frozen_rates': [
                ['quantity_factor', 'decimal(18, 6)'], ['free_units', quantity_type()],
                ['free_units_scope', 'string'], ['free_units_reset', 'string'],
                ['tier_scope', 'string'], ['event_fee', amount_type()],
                ['free_events', 'integer'], ['event_minimum', amount_type()],
                ['event_maximum', amount_type()], ['price_property', 'string'],
                ['amount_property', 'string'],
                ['minimum_amount', amount_type()], ['maximum_amount', amount_type()],
            ],
            'invoice_sub_lines': [
                ['override_id', 'string'], ['charge', 'string'], ['adjustment_id', 'string'],
            ],
            'rated_slices': [['override_id', 'string'], ['metered_quantity', quantity_type()]],
            'frozen_products': [
                ['catalog_hash', 'string'], ['product_id', 'string'],
                ['product_name', 'string'], ['product_type', 'string'],
                ['metric_id', 'string'], ['key_set', 'string'],
                ['quantity_conversion', 'string'], ['conversion_factor', 'decimal(18, 6)'],
                ['quantity_rounding', 'string'], ['rounding_places', 'integer'],
                ['tags', 'string'], ['starting_at', 'timestamp'],
                ['ending_before', 'timestamp'],
                ['composite_product_ids', 'string'], ['composite_tags', 'string'],
                ['exclude_free_usage', 'boolean'],
            ],
            'frozen_overrides': [
                ['catalog_hash', 'string'], ['override_id', 'string'],
                ['contract_id', 'string'], ['override_type', 'string'],
                ['choice_rank', 'decimal(18, 12)'], ['is_entitled', 'boolean'],
                ['added_at', 'timestamp'], ['starting_at', 'timestamp'],
                ['ending_before', 'timestamp'],
            ],
            'frozen_override_specifiers': [
                ['catalog_hash', 'string'], ['override_id', 'string'],
                ['product_id', 'string'], ['product_tags', 'string'],
                ['pricing_group_values', 'string'],
                ['presentation_group_values', 'string'],
            ],
            'frozen_override_bands': [
                ['catalog_hash', 'string'], ['override_id', 'string'],
                ['band_start', quantity_type()], ['band_end', quantity_type()],
                ['multiplier', 'decimal(18, 12)'],
            ],
            'frozen_discounts': [
                ['catalog_hash', 'string'], ['discount_id', 'string'],
                ['contract_id', 'string'], ['discount_type', 'string'],
                ['percentage', 'decimal(18, 12)'], ['amount', amount_type()],
                ['position', 'integer'], ['product_ids', 'string'],
                ['product_tags', 'string'], ['maximum_units', quantity_type()],
                ['maximum_amount', amount_type()], ['starting_at', 'timestamp'],
                ['ending_before', 'timestamp'],
            ],
            'frozen_limits': [
                ['catalog_hash', 'string'], ['limit_id', 'string'],
                ['contract_id', 'string'], ['limit_type', 'string'],
                ['limit_scope', 'string'], ['product_ids', 'string'],
                ['amount', amount_type()], ['is_prorated', 'boolean'],
                ['starting_at', 'timestamp'], ['ending_before', 'timestamp'],
            ],
        }],
        [4, 'composites at list prices', {
            'frozen_rates': [['use_list_prices', 'boolean']],
        }],
        [5, 'custom pricing units', {
            'frozen_rates': [['pricing_unit_id', 'string']],
            'rated_slices': [['pricing_unit_id', 'string']],
            'invoice_lines': [['pricing_unit_id', 'string']],
            'invoice_sub_lines': [['pricing_unit_id', 'string']],
            'frozen_pricing_unit_conversions': [
                ['catalog_hash', 'string'], ['rate_card_id', 'string'],
                ['pricing_unit_id', 'string'], ['amount_per_unit', unit_price_type()],
                ['starting_at', 'timestamp'], ['ending_before', 'timestamp'],
            ],
        }],
        [6, 'tranches of grants, manual ledger entries', {
            'credit_drawdowns': [['tranche_id', 'string']],
            'ledger_entries': [
                ['source_id', 'string'], ['reason', 'string'], ['actor', 'string'],
            ],
        }],
        [7, 'quantities that grants paid', {
            'credit_drawdowns': [['quantity', quantity_type()]],
        }],
        [8, 'daily balances', {
            'credit_balance_snapshots': [
                ['snapshot_date', 'date'], ['segment_id', 'string'],
                ['grant_id', 'string'], ['customer_id', 'string'],
                ['currency', 'string'], ['change_minor', 'bigint'],
                ['balance_minor', 'bigint'],
            ],
        }],
        [9, 'voids of closed invoices', {
            'voids': [
                ['invoice_id', 'string'], ['instruction_id', 'string'],
                ['reason', 'string'], ['actor', 'string'], ['voided_at', 'timestamp'],
            ],
        }],
        [10, 'what balances are topped up with', {
            'threshold_recharges': [
                ['grant_id', 'string'], ['threshold_id', 'string'],
                ['contract_id', 'string'], ['customer_id', 'string'],
                ['currency', 'string'], ['balance_before_minor', 'bigint'],
                ['amount_minor', 'bigint'], ['invoiced_minor', 'bigint'],
                ['grant_name', 'string'], ['priority', 'decimal(18, 6)'],
                ['applicable_product_ids', 'string'], ['starting_at', 'timestamp'],
                ['ending_before', 'timestamp'],
            ],
        }],
        [11, 'what draws cost at list prices', {
            'credit_drawdowns': [['list_amount_minor', 'bigint']],
        }],
        [13, 'credits in custom pricing units', {
            'credit_drawdowns': [['pricing_unit_id', 'string']],
            'ledger_entries': [['pricing_unit_id', 'string']],
            'credit_balance_snapshots': [['pricing_unit_id', 'string']],
            'frozen_pricing_unit_conversions': [['decimal_places', 'integer']],
        }],
    ]) }}
{% endmacro %}

{# Migration 1. #}
{% macro books_tables_at_first() %}
    {% set invoice = [
        ['invoice_id', 'string'], ['invoice_number', 'string'], ['customer_id', 'string'],
        ['contract_id', 'string'], ['rate_card_id', 'string'], ['billing_profile_id', 'string'],
        ['invoice_type', 'string'],
        ['currency', 'string'], ['minor_unit_factor', 'integer'],
        ['period_start', 'timestamp'], ['period_end', 'timestamp'],
        ['issued_at', 'timestamp'], ['due_at', 'timestamp'],
        ['net_payment_terms_days', 'integer'], ['late_usage_policy', 'string'],
        ['usage_minor', 'bigint'], ['applied_minor', 'bigint'], ['total_minor', 'bigint'],
        ['line_count', 'bigint'], ['content_hash', 'string'],
    ] %}
    {% set line = [
        ['line_id', 'string'], ['line_key', 'string'], ['invoice_id', 'string'],
        ['line_number', 'bigint'], ['line_type', 'string'],
        ['product_id', 'string'], ['line_name', 'string'],
        ['pricing_group_values', 'string'], ['presentation_group_values', 'string'],
        ['segment_id', 'string'], ['applied_to_line_id', 'string'],
        ['quantity', quantity_type()], ['currency', 'string'],
        ['amount', amount_type()], ['amount_minor', 'bigint'],
        ['period_start', 'timestamp'], ['period_end', 'timestamp'],
    ] %}
    {% set sub_line = [
        ['sub_line_id', 'string'], ['line_id', 'string'], ['invoice_id', 'string'],
        ['sub_line_number', 'bigint'],
        ['rate_id', 'string'], ['price_model', 'string'],
        ['tier_start', quantity_type()], ['tier_end', quantity_type()],
        ['rate_starting_at', 'timestamp'], ['rate_ending_before', 'timestamp'],
        ['quantity', quantity_type()], ['unit_price', unit_price_type()],
        ['currency', 'string'], ['amount', amount_type()], ['amount_minor', 'bigint'],
    ] %}
    {% set slice = [
        ['slice_id', 'string'], ['line_id', 'string'], ['invoice_id', 'string'],
        ['product_id', 'string'], ['rate_id', 'string'],
        ['slice_start', 'timestamp'], ['slice_end', 'timestamp'],
        ['quantity', quantity_type()], ['quantity_before', quantity_type()],
        ['quantity_after', quantity_type()],
        ['currency', 'string'], ['amount', amount_type()], ['amount_minor', 'bigint'],
    ] %}
    {% set drawdown = [
        ['drawdown_id', 'string'], ['segment_id', 'string'], ['invoice_id', 'string'],
        ['line_id', 'string'], ['slice_id', 'string'], ['slice_start', 'timestamp'],
        ['currency', 'string'], ['amount_minor', 'bigint'],
    ] %}
    {% set entry = [
        ['entry_id', 'string'], ['entry_type', 'string'], ['grant_id', 'string'],
        ['segment_id', 'string'], ['customer_id', 'string'], ['invoice_id', 'string'],
        ['currency', 'string'], ['amount_minor', 'bigint'],
        ['effective_at', 'timestamp'], ['posted_at', 'timestamp'],
    ] %}
    {{ return({
        'invoices': invoice,
        'invoice_lines': line,
        'invoice_sub_lines': sub_line,
        'rated_slices': slice,
        'credit_drawdowns': drawdown,
        'ledger_entries': entry,
        'frozen_rates': [
            ['catalog_hash', 'string'], ['rate_id', 'string'], ['rate_card_id', 'string'],
            ['product_id', 'string'], ['price_model', 'string'],
            ['pricing_group_values', 'string'], ['starting_at', 'timestamp'],
            ['ending_before', 'timestamp'], ['is_entitled', 'boolean'],
        ],
        'frozen_rate_tiers': [
            ['catalog_hash', 'string'], ['rate_id', 'string'],
            ['tier_start', quantity_type()], ['tier_end', quantity_type()],
            ['unit_price', unit_price_type()],
        ],
        'frozen_customer_refs': [
            ['catalog_hash', 'string'], ['customer_ref', 'string'], ['customer_id', 'string'],
        ],
        'closes': [
            ['as_of', 'timestamp'], ['build_id', 'string'], ['catalog_hash', 'string'],
            ['watermark', 'bigint'], ['code_version', 'string'],
            ['previous_close_id', 'string'], ['invoice_count', 'bigint'],
            ['ledger_entry_count', 'bigint'], ['content_hash', 'string'],
            ['rolling_digest', 'string'],
        ],
    }) }}
{% endmacro %}

{# Names of a books table's columns, for a select. #}
{% macro frozen_columns(table, hashed=true) -%}
    {%- set names = [] -%}
    {%- for column, type in books_tables()[table] if hashed or column != 'catalog_hash' -%}
        {%- do names.append(column) -%}
    {%- endfor -%}
    {{ names | join(', ') }}
{%- endmacro %}

{% macro create_books_table(name, columns) -%}
    {% set definition = ['close_id string'] %}
    {% for column, type in columns %}
        {% do definition.append(column ~ ' ' ~ type) %}
    {% endfor %}
    {{ return(
        'create table if not exists books.' ~ name ~ ' (' ~ definition | join(', ') ~ ') '
        ~ storage_clause()
    ) }}
{%- endmacro %}

{% macro books_migrations() %}
    {% set created = [] %}
    {% set made = [] %}
    {% for name, columns in books_tables_at_first().items() %}
        {% do created.append(create_books_table(name, columns)) %}
        {% do made.append(name) %}
    {% endfor %}
    {% set migrations = [[1, 'create the books', created]] %}
    {% for version, name, tables in books_columns_added() %}
        {% set statements = [] %}
        {% for table, columns in tables.items() %}
            {% if table in made %}
                {% for column, type in columns %}
                    {% do statements.append(add_column('books.' ~ table, column, type)) %}
                {% endfor %}
            {% else %}
                {% do statements.append(create_books_table(table, columns)) %}
                {% do made.append(table) %}
            {% endif %}
        {% endfor %}
        {% do migrations.append([version, name, statements]) %}
    {% endfor %}
    {{ return(migrations) }}
{% endmacro %}

{% macro create_books() %}
    {% if execute and flags.WHICH in ('build', 'run', 'seed', 'test', 'run-operation') %}
        {% do run_query(
            'create table if not exists books.migrations (version integer, name string) '
            ~ storage_clause()
        ) %}
        {% set done = run_query('select version from books.migrations').columns[0].values() | list %}
        {% for version, name, statements in books_migrations() if version not in done %}
            {% for statement in statements %}
                {% do run_query(statement) %}
            {% endfor %}
            {% do run_query("insert into books.migrations values (" ~ version ~ ", '" ~ name ~ "')") %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{# Fill empty books from Parquet files (orchestration/backup.py). One transaction, the
   headers last, and never into books that hold a close. Tables and columns of later
   migrations than the backup's stay empty. #}
{% macro restore_books(folder, tables) %}
    {% if execute %}
        {% do run_query('create schema if not exists books') %}
        {{ create_books() }}
        {% if fetch_rows('select count(*) as closes from books.closes')[0].closes | int > 0 %}
            {{ exceptions.raise_compiler_error('restore refused: the books are not empty') }}
        {% endif %}
        {% set order = tables | reject('equalto', 'closes') | list + ['closes'] %}
        {% do begin_close() %}
        {% for table in order %}
            {% set kept = parquet_file(folder ~ '/' ~ table ~ '.parquet') %}
            {% set columns = run_query('select * from ' ~ kept ~ ' limit 0').column_names | join(', ') %}
            {% do run_query(
                'insert into books.' ~ table ~ ' (' ~ columns ~ ') select ' ~ columns ~ ' from ' ~ kept
            ) %}
        {% endfor %}
        {% do commit_close() %}
    {% endif %}
{% endmacro %}
