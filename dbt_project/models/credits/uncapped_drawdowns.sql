{{ config(
    materialized=deep_view(),
    pre_hook="{{ draw_in_steps() }}",
    post_hook="{{ drop_steps() }}",
) }}

{#
  Grant by grant over all charges of a wallet: each takes, within its window, scope and
  balance, what the earlier ranks left. Ranks are fixed and eligibility is static, so
  this equals taking charge by charge (docs/decisions.md, "Grant by grant"). A charge is
  carried on only while something of it is left and its wallet has a further rank.
#}
{%- set depth = wallet_depth() %}
{%- set is_in_steps = is_drawn_in_steps(depth) %}
with

{{ payable() }}

{{ opening_charges() }}

{% for rank in range(1, depth + 1) if not is_in_steps -%}
{{ draw_rank(rank) }}

{{ leave_rest(rank, 'taken_' ~ rank) }}

{% endfor -%}
final as (

    {% for rank in range(1, depth + 1) -%}
    {{ drawn_by(rank, taken_at(rank) if is_in_steps else 'taken_' ~ rank) }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% else -%}
    select
        cast(null as string) as tranche_id,
        cast(null as string) as segment_id,
        slice_id,
        cast(0 as bigint) as wallet_rank,
        remaining_minor as drawn_minor,
        piece_id,
        list_minor,
        piece_quantity,
        remaining_quantity,
        remaining_quantity as taken_quantity
    from remaining_0
    where 1 = 0
    {% endfor %}
)

select * from final
