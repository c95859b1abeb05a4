{# A column of the `rates` contract that a model of the workspace may leave out. #}
{% macro optional_column(relation, column, type) -%}
    {%- set found = [column] -%}
    {%- if execute and relation.schema != 'catalog' -%}
        {%- set found = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- endif -%}
    {%- if column in found %}{{ column }}{% else %}cast(null as {{ type }}){% endif -%}
{%- endmacro %}

{# Share of a running quantity that a price step charges: what lies in (step start, step
   end], lower bound exclusive, upper inclusive, the first step also what is below zero;
   for volume-like models all of it, in the step that holds the line's final quantity. #}
{% macro quantity_in_step(quantity, step_start, step_end) -%}
    cast(
        case
            when is_volume_like
                then case when holds_line_quantity then {{ quantity }} else 0 end
            when tier_start = 0
                then least({{ quantity }}, coalesce({{ step_end }}, {{ quantity }}))
            else greatest(
                least({{ quantity }}, coalesce({{ step_end }}, {{ quantity }}))
                - {{ step_start }},
                0
            )
        end as {{ quantity_type() }}
    )
{%- endmacro %}

{# Is the running quantity above the start of the step and not above its end? The first
   step also holds zero and what is below. #}
{% macro is_in_tier(quantity) -%}
    (
        (tier_start = 0 or {{ quantity }} > tier_start)
        and (tier_end is null or {{ quantity }} <= tier_end)
    )
{%- endmacro %}

{# Does the flat amount of the step count at this running quantity? graduated: in every
   step entered; volume: in the step of the line's final quantity, from the first slice
   on; stairstep: in the step that holds the quantity alone. #}
{% macro is_step_reached(quantity) -%}
    (
        case price_model
            when 'volume' then holds_line_quantity
            when 'stairstep' then {{ is_in_tier(quantity) }}
            else tier_start = 0 or {{ quantity }} > tier_start
        end
    )
{%- endmacro %}

{# Has any period been closed? Spares the scan for late usage until then. #}
{% macro has_closes() -%}
    {% set found = fetch_rows('select close_id from ' ~ ref('stg_books__closes') ~ ' limit 1') %}
    {{ return(found | length > 0) }}
{%- endmacro %}

{# Running total over a line's slices in time. #}
{% macro running(expression, alias='') -%}
    sum({{ expression }}) over (
        partition by {{ alias }}period_id, {{ alias }}line_id
        order by {{ alias }}slice_start, {{ alias }}slice_id
        rows between unbounded preceding and current row
    )
{%- endmacro %}
