{# The grain of a table: no two rows share the values of these columns; NULLs count as
   equal. Yields the values that repeat, with the number of their rows. #}
{% test unique_combination(model, columns) %}
    {{ config(meta={'description': 'One row per ' ~ columns | join(', ') ~ '.'}) }}

select
    {% for column in columns -%}
    {{ column }},
    {% endfor -%}
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
