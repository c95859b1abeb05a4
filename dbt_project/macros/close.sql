{#
  The one close operation: `dbt run-operation close_books`. Appends what is closable to
  the books and writes the header last; on DuckDB all of it is one transaction. Run after
  the build and its laws. Closing twice closes once: what is closed is no longer a draft.
#}
{% macro close_books(attempt=1) %}
    {% if execute %}
        {# dbt runs no start hooks for an operation: without this, inputs that changed
           since the build would be frozen as if the drafts came from them. #}
        {% do mount_inputs() %}
        {% set due = close_due() %}
        {% if due.invoices == 0 and due.entries == 0 and due.voids == 0 %}
            {% do log('close: nothing to close', info=true) %}
            {{ return('') }}
        {% endif %}
        {% do refuse_unsafe_close() %}
        {% set close_id = new_close_id() %}
        {% do begin_close() %}
        {% for statement in close_statements(close_id) %}
            {% do run_query(statement) %}
        {% endfor %}
        {% do commit_close() %}
        {% do log(
            'close: ' ~ close_id ~ ' ' ~ due.invoices ~ ' invoices, ' ~ due.entries ~ ' ledger entries'
            ~ (', ' ~ due.voids ~ ' voids' if due.voids else ''),
            info=true
        ) %}
    {% endif %}
{% endmacro %}

{% macro close_due() -%}
    {% set rows = fetch_rows(
        'select (select count(*) from ' ~ ref('draft_invoices') ~ ' as drafts '
        ~ 'left join ' ~ ref('stg_books__invoices') ~ ' as closed '
        ~ 'on drafts.invoice_id = closed.invoice_id '
        ~ 'where drafts.is_closable and closed.invoice_id is null) as invoices, '
        ~ '(select count(*) from ' ~ ref('draft_ledger_entries') ~ ' as drafts '
        ~ 'left join ' ~ ref('stg_books__ledger_entries') ~ ' as posted '
        ~ 'on drafts.entry_id = posted.entry_id '
        ~ 'where drafts.posts_at_close and posted.entry_id is null) as entries, '
        ~ '(select count(*) from ' ~ ref('voided_invoices') ~ ' as voided '
        ~ 'where ' ~ is_unposted_void('voided') ~ ') as voids'
    ) %}
    {{ return({
        'invoices': rows[0].invoices | int, 'entries': rows[0].entries | int,
        'voids': rows[0].voids | int,
    }) }}
{%- endmacro %}

{# A close of tables from different builds, of a moment before the last close, or into
   empty books beside a journal of published invoices would bill wrong or twice. #}
{% macro refuse_unsafe_close() -%}
    {% set build = fetch_rows('select build_id from ' ~ ref('stg_ops__build'))[0].build_id %}
    {% set builds = fetch_rows(
        'select distinct build_id from ' ~ ref('draft_invoices') ~ ' order by build_id'
    ) | map(attribute='build_id') | list %}
    {% if builds and builds != [build] %}
        {{ exceptions.raise_compiler_error(
            'close refused: the draft tables were built as ' ~ builds | join(', ')
            ~ ' but this run is ' ~ build ~ '. Build again with the same as_of, catalog and events, then close.'
        ) }}
    {% endif %}
    {% set later = fetch_rows(
        'select max(as_of) as last_as_of from books.closes where as_of > ' ~ as_of()
    )[0].last_as_of %}
    {% if later %}
        {{ exceptions.raise_compiler_error(
            'close refused: the books were closed as of ' ~ later ~ ', which is after this run. '
            ~ 'An earlier as_of is a read-only preview.'
        ) }}
    {% endif %}
    {% set again = fetch_rows(
        'select count(*) as invoices from (' ~ closing_invoice_ids() ~ ') as closing '
        ~ 'inner join books.invoices as closed on closing.invoice_id = closed.invoice_id '
        ~ 'inner join books.closes as closes on closed.close_id = closes.close_id'
    )[0].invoices %}
    {% if again | int > 0 %}
        {{ exceptions.raise_compiler_error(
            'close refused: ' ~ again ~ ' invoices of this close stand in the books already. '
            ~ 'Build again, staging included, then close.'
        ) }}
    {% endif %}
    {% set lost = fetch_rows(
        "select count(*) as published from ops.publish_journal where state = 'published' "
        ~ 'and (select count(*) from books.closes) = 0'
    )[0].published %}
    {% if lost | int > 0 %}
        {{ exceptions.raise_compiler_error(
            'close refused: the books are empty but ' ~ lost ~ ' invoices are published in Stripe. '
            ~ 'Restore the books from a backup first (meterhouse restore).'
        ) }}
    {% endif %}
{%- endmacro %}

{# Deterministic; a dead attempt (rows without a header, possible where the engine has no
   transaction) makes the next attempt take another id. It may have died after any of its
   tables: rows under the id of a later header would count twice. #}
{% macro new_close_id() -%}
    {% set written = [] %}
    {% for table in books_tables() if table != 'closes' %}
        {% do written.append('select close_id from books.' ~ table) %}
    {% endfor %}
    {% set dead = fetch_rows(
        'select count(*) as attempts from (' ~ written | join(' union ') ~ ') as written '
        ~ 'where close_id not in (select close_id from books.closes)'
    )[0].attempts | int %}
    {# Instructions are not part of a build: what an operator said after a close of the
       same build is posted by a close of its own. #}
    {% set done = fetch_rows(
        'select count(*) as closes from books.closes as closes inner join '
        ~ ref('stg_ops__build') ~ ' as build on closes.build_id = build.build_id'
    )[0].closes | int %}
    {% set rows = fetch_rows(
        'select ' ~ hash_id('cl', ['build_id', "'" ~ (dead + done) ~ "'"])
        ~ ' as close_id from ' ~ ref('stg_ops__build')
    ) %}
    {{ return(rows[0].close_id) }}
{%- endmacro %}

{% macro begin_close() -%}
    {{ return(adapter.dispatch('begin_close', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__begin_close() -%}
    {% do run_query('begin transaction') %}
{%- endmacro %}
{# Parquet tables have no transaction: the header row, written last, makes a close count. #}
{% macro spark__begin_close() -%}
{%- endmacro %}

{% macro commit_close() -%}
    {{ return(adapter.dispatch('commit_close', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__commit_close() -%}
    {% do run_query('commit') %}
{%- endmacro %}
{% macro spark__commit_close() -%}
{%- endmacro %}

{% macro closing_invoice_ids() -%}
    select drafts.invoice_id
    from {{ ref('draft_invoices') }} as drafts
    left join {{ ref('stg_books__invoices') }} as closed
        on drafts.invoice_id = closed.invoice_id
    where drafts.is_closable and closed.invoice_id is null
{%- endmacro %}

{# Asked of the books themselves: what the close wrote a moment ago counts. #}
{% macro is_unposted_void(voided) -%}
    {{ voided }}.invoice_id not in (select invoice_id from {{ ref('stg_books__voids') }})
{%- endmacro %}

{% macro insert_books(table, close_id, relation, condition, overrides={}) -%}
    {%- set columns = books_tables()[table] -%}
    insert into books.{{ table }}
    select
        '{{ close_id }}' as close_id,
        {% for column, type in columns %}
        cast({{ overrides.get(column, 'source_rows.' ~ column) }} as {{ type }}) as {{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from {{ relation }} as source_rows
    where {{ condition }}
{%- endmacro %}

{% macro close_statements(close_id) -%}
    {% set closing = 'source_rows.invoice_id in (' ~ closing_invoice_ids() ~ ')' %}
    {% set hash = fetch_rows('select catalog_hash from ' ~ ref('stg_ops__build'))[0].catalog_hash %}
    {% set frozen = fetch_rows(
        "select count(*) as closes from books.closes where catalog_hash = '" ~ hash ~ "'"
    )[0].closes | int > 0 %}
    {% set constant = {'catalog_hash': "'" ~ hash ~ "'"} %}
    {% set statements = [] %}
    {# Children before parents: every statement selects by what is not yet closed, and on
       an engine without transactions the header row alone makes them count. #}
    {% do statements.append(insert_books(
        'rated_slices', close_id, ref('rated_usage'),
        closing ~ " and source_rows.rating_basis = 'open'"
    )) %}
    {% do statements.append(insert_books(
        'credit_drawdowns', close_id, ref('credit_drawdowns'), closing
    )) %}
    {% do statements.append(insert_books(
        'invoice_sub_lines', close_id, ref('draft_invoice_sub_lines'), closing
    )) %}
    {% do statements.append(insert_books(
        'invoice_lines', close_id, ref('draft_invoice_lines'), closing
    )) %}
    {% do statements.append(insert_books(
        'ledger_entries', close_id, ref('draft_ledger_entries'),
        'source_rows.posts_at_close and source_rows.entry_id not in (select entry_id from '
        ~ ref('stg_books__ledger_entries') ~ ')',
        {'posted_at': as_of()}
    )) %}
    {% do statements.append(insert_books(
        'voids', close_id, ref('voided_invoices'), is_unposted_void('source_rows')
    )) %}
    {% do statements.append(insert_books(
        'threshold_recharges', close_id, ref('draft_recharges'),
        'source_rows.grant_id not in (select grant_id from '
        ~ ref('stg_books__threshold_recharges') ~ ')'
    )) %}
    {% do statements.append(insert_books(
        'credit_balance_snapshots', close_id, ref('draft_balance_snapshots'),
        'source_rows.snapshot_date < cast(' ~ as_of() ~ ' as date)'
    )) %}
    {% do statements.append(insert_books(
        'invoices', close_id, ref('draft_invoices'), closing
    )) %}
    {% if not frozen %}
        {% do statements.append(insert_books(
            'frozen_products', close_id, ref('stg_catalog__products'), 'true', constant
        )) %}
        {% for table, model in {
            'frozen_rates': ref('price_book_rates'),
            'frozen_rate_tiers': ref('price_book_tiers'),
            'frozen_overrides': ref('price_book_overrides'),
            'frozen_override_specifiers': ref('price_book_override_specifiers'),
            'frozen_override_bands': ref('price_book_override_bands'),
            'frozen_discounts': ref('price_book_discounts'),
            'frozen_limits': ref('price_book_limits'),
            'frozen_pricing_unit_conversions': ref('price_book_unit_conversions'),
        }.items() %}
            {% do statements.append(insert_books(
                table, close_id, model, "source_rows.price_book = 'current'", constant
            )) %}
        {% endfor %}
        {% do statements.append(insert_books(
            'frozen_customer_refs', close_id, ref('stg_catalog__customer_refs'), 'true', constant
        )) %}
    {% endif %}
    {% do statements.append(insert_close_header(close_id)) %}
    {{ return(statements) }}
{%- endmacro %}

{# Digest of what one close wrote, from its rows: two roads lead here, the close itself
   and law 7, which computes it again from the books. #}
{% macro close_content_sql(close_condition) -%}
    select
        invoices_of_close.close_id,
        {{ sha256_text(
            "coalesce(invoices_of_close.row_hashes, '') || '/' || "
            ~ "coalesce(entries_of_close.row_hashes, '')"
            ~ " || coalesce('/' || snapshots_of_close.row_hashes, '')"
            ~ " || coalesce('/voids/' || voids_of_close.row_hashes, '')"
            ~ " || coalesce('/recharges/' || recharges_of_close.row_hashes, '')"
        ) }} as content_hash
    from (
        select
            all_closes.close_id,
            {{ ordered_concat('invoices.content_hash', 'invoices.invoice_id') }}
                as row_hashes
        from ({{ close_condition }}) as all_closes
        left join {{ source('books', 'invoices') }} as invoices
            on all_closes.close_id = invoices.close_id
        group by 1
    ) as invoices_of_close
    left join (
        select
            close_id,
            {{ ordered_concat(ledger_entry_hash(), 'entry_id') }} as row_hashes
        from {{ source('books', 'ledger_entries') }}
        group by 1
    ) as entries_of_close
        on invoices_of_close.close_id = entries_of_close.close_id
    left join (
        select
            close_id,
            {{ ordered_concat('row_hash', 'segment_id') }} as row_hashes
        from ({{ segment_snapshots_hashed() }}) as segments
        group by 1
    ) as snapshots_of_close
        on invoices_of_close.close_id = snapshots_of_close.close_id
    left join (
        select
            close_id,
            {{ ordered_concat(sha256_text(void_text()), 'invoice_id') }} as row_hashes
        from {{ source('books', 'voids') }}
        group by 1
    ) as voids_of_close
        on invoices_of_close.close_id = voids_of_close.close_id
    left join (
        select
            close_id,
            {{ ordered_concat(recharge_hash(), 'grant_id') }} as row_hashes
        from {{ source('books', 'threshold_recharges') }}
        group by 1
    ) as recharges_of_close
        on invoices_of_close.close_id = recharges_of_close.close_id
{%- endmacro %}

{# One hash per segment and close: a single text of every day of every segment would not
   fit into memory. #}
{% macro segment_snapshots_hashed() -%}
    select
        close_id,
        segment_id,
        {{ sha256_text(ordered_concat(balance_snapshot_text(), 'snapshot_date')) }}
            as row_hash
    from {{ source('books', 'credit_balance_snapshots') }}
    group by 1, 2
{%- endmacro %}

{% macro insert_close_header(close_id) -%}
    insert into books.closes
    select
        '{{ close_id }}' as close_id,
        build.as_of,
        build.build_id,
        build.catalog_hash,
        build.watermark,
        build.code_version,
        previous.close_id as previous_close_id,
        (select count(*) from books.invoices where close_id = '{{ close_id }}') as invoice_count,
        (select count(*) from books.ledger_entries where close_id = '{{ close_id }}')
            as ledger_entry_count,
        content.content_hash,
        {{ sha256_text("coalesce(previous.rolling_digest, '') || content.content_hash") }} as rolling_digest
    from {{ ref('stg_ops__build') }} as build
    cross join (
        {{ close_content_sql("select '" ~ close_id ~ "' as close_id") }}
    ) as content
    left join (
        select
            close_id,
            rolling_digest
        from books.closes
        where close_id not in (
            select previous_close_id from books.closes where previous_close_id is not null
        )
    ) as previous
        on 1 = 1
{%- endmacro %}
