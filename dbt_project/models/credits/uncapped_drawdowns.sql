{{ config(materialized=deep_view()) }}

{#
  Grant by grant over all charges of a wallet: each takes, within its window, scope and
  balance, what the earlier ranks left. Ranks are fixed and eligibility is static, so
  this equals taking charge by charge (docs/decisions.md, "Grant by grant"). A charge is
  carried on only while something of it is left and its wallet has a further rank.
#}
{%- set depth = wallet_depth() %}
with

charges as (

    select * from {{ ref('drawable_charges') }}

),

payable_lines as (

    select * from {{ ref('payable_lines') }}

),

piece_prices as (

    select * from {{ ref('piece_prices') }}

),

line_depths as (

    select
        line_id,
        max(wallet_rank) as last_rank
    from payable_lines
    group by 1

),

remaining_0 as (

    select
        charges.slice_id,
        charges.piece_id,
        charges.line_id,
        charges.charge_rank,
        charges.slice_start,
        line_depths.last_rank,
        charges.amount_minor as list_minor,
        charges.piece_quantity,
        charges.amount_minor as remaining_minor,
        charges.piece_quantity as remaining_quantity
    from charges
    inner join line_depths
        on charges.line_id = line_depths.line_id

),

{% for rank in range(1, depth + 1) -%}
{{ draw_rank(rank) }}

{% endfor -%}
final as (

    {% for rank in range(1, depth + 1) -%}
    select
        tranche_id,
        segment_id,
        slice_id,
        cast({{ rank }} as bigint) as wallet_rank,
        drawn_minor,
        piece_id,
        list_minor,
        piece_quantity,
        remaining_quantity,
        taken_quantity
    from taken_{{ rank }}
    where drawn_minor > 0 or taken_quantity > 0
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
