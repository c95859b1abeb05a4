{# Share of a running quantity that lies in the price step (tier_start, tier_end]: lower
   bound exclusive, upper inclusive, the first step also holds what is below zero. #}
{% macro quantity_in_tier(quantity) -%}
    cast(
        case
            when tiers.tier_start = 0
                then least({{ quantity }}, coalesce(tiers.tier_end, {{ quantity }}))
            else greatest(
                least({{ quantity }}, coalesce(tiers.tier_end, {{ quantity }})) - tiers.tier_start,
                0
            )
        end as {{ quantity_type() }}
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
