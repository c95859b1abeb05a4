{{ config(materialized='view') }}

{#
  Grant by grant over all charges of a wallet: each takes, within its window, scope and
  balance, what the earlier ranks left. Ranks are fixed and eligibility is static, so
  this equals taking charge by charge (docs/decisions.md, "Grant by grant").
#}
{%- set depth = wallet_depth() %}
with

slices as (

    select * from {{ ref('drawable_slices') }}

),

grants as (

    select * from {{ ref('active_grants') }}

),

remaining_0 as (

    select
        slice_id,
        contract_id,
        customer_id,
        product_id,
        currency,
        charge_rank,
        slice_start,
        amount_minor as remaining_minor
    from slices

),

{% for rank in range(1, depth + 1) -%}
offered_{{ rank }} as (

    select
        charges.*,
        grants.segment_id,
        grants.opening_balance_minor,
        case
            when {{ grant_pays('grants', 'charges') }}
                then charges.remaining_minor
            else 0
        end as eligible_minor
    from remaining_{{ rank - 1 }} as charges
    left join grants
        on
            charges.customer_id = grants.customer_id
            and charges.currency = grants.currency
            and grants.wallet_rank = {{ rank }}

),

drawn_{{ rank }} as (

    select
        offered_{{ rank }}.*,
        {{ prefix_draw() }} as drawn_minor
    from offered_{{ rank }}

),

remaining_{{ rank }} as (

    select
        slice_id,
        contract_id,
        customer_id,
        product_id,
        currency,
        charge_rank,
        slice_start,
        remaining_minor - drawn_minor as remaining_minor
    from drawn_{{ rank }}

),

{% endfor -%}
final as (

    {% for rank in range(1, depth + 1) -%}
    select
        segment_id,
        slice_id,
        cast({{ rank }} as bigint) as wallet_rank,
        currency,
        drawn_minor
    from drawn_{{ rank }}
    where drawn_minor > 0
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% else -%}
    select
        cast(null as string) as segment_id,
        slice_id,
        cast(0 as bigint) as wallet_rank,
        currency,
        remaining_minor as drawn_minor
    from remaining_0
    where 1 = 0
    {% endfor %}
)

select * from final
