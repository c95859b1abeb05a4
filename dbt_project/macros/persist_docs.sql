{# Descriptions as comments of the warehouse, one statement a relation. dbt's own looks the
   columns up twice and reads a result back, about a tenth of a small run. A described column
   that is not there stops the run. #}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {% call statement('persist_docs') %}
        {% if for_relation and config.persist_relation_docs() and model.description %}
            {{ alter_relation_comment(relation, model.description) }}
        {% endif %}
        {% if for_columns and config.persist_column_docs() %}
            {% for column in model.columns.values() %}
                comment on column {{ relation }}.{{ adapter.quote(column.name) }}
                is {{ duckdb_escape_comment(column.description) }};
            {% endfor %}
        {% endif %}
        select 1
    {% endcall %}
{% endmacro %}
