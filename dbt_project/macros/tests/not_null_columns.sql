{# Columns that hold a value on every row: keys, amounts, currencies. One test a table, so
   that a check list stays readable; yields the rows that lack one. #}
{% test not_null_columns(model, columns) %}
    {{ config(meta={'description': 'Never empty: ' ~ columns | join(', ') ~ '.'}) }}

select *
from {{ model }}
where
    {% for column in columns -%}
    {{ column }} is null{% if not loop.last %} or {% endif %}
    {% endfor %}

{% endtest %}
