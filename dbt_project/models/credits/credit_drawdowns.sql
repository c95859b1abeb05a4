{#
  Grant by grant over all charges of a wallet: each takes, within its window, scope and
  balance, what the earlier ranks left. Ranks are fixed and eligibility is static, so
  this equals taking charge by charge (docs/decisions.md, "Grant by grant").
  A line that negative usage brings down is covered up to its total and no further: the
  latest draws are given back before anything is posted.
#}
{%- set depth = wallet_depth() %}

with

slices as (

    select * from {{ ref('drawable_slices') }}

),

grants as (

    select * from {{ ref('active_grants') }}

),

line_caps as (

    select
        line_id,
        greatest(cast(sum(amount_minor) as bigint), 0) as cap_minor
    from {{ ref('rated_usage') }}
    where rating_basis = 'open'
    group by 1

),

remaining_0 as (

    select
        slice_id,
        line_id,
        invoice_id,
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
        remaining_{{ rank - 1 }}.*,
        grants.segment_id,
        grants.opening_balance_minor,
        case
            when
                grants.segment_id is not null
                and remaining_{{ rank - 1 }}.slice_start >= grants.starting_at
                and (
                    grants.ending_before is null
                    or remaining_{{ rank - 1 }}.slice_start < grants.ending_before
                )
                and (
                    grants.contract_id is null
                    or grants.contract_id = remaining_{{ rank - 1 }}.contract_id
                )
                and {{ list_allows(
                    'grants.applicable_product_ids',
                    'remaining_' ~ (rank - 1) ~ '.product_id'
                ) }}
                then remaining_{{ rank - 1 }}.remaining_minor
            else 0
        end as eligible_minor
    from remaining_{{ rank - 1 }}
    left join grants
        on
            remaining_{{ rank - 1 }}.customer_id = grants.customer_id
            and remaining_{{ rank - 1 }}.currency = grants.currency
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
        line_id,
        invoice_id,
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
draws as (

    {% for rank in range(1, depth + 1) -%}
    select
        segment_id,
        invoice_id,
        line_id,
        slice_id,
        customer_id,
        currency,
        drawn_minor,
        {{ rank }} as wallet_rank,
        slice_start
    from drawn_{{ rank }}
    where drawn_minor > 0
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% else -%}
    select
        cast(null as string) as segment_id,
        invoice_id,
        line_id,
        slice_id,
        customer_id,
        currency,
        remaining_minor as drawn_minor,
        0 as wallet_rank,
        slice_start
    from remaining_0
    where 1 = 0
    {% endfor %}
),

capped as (

    select
        draws.*,
        least(
            draws.drawn_minor,
            line_caps.cap_minor - (
                sum(draws.drawn_minor) over (
                    partition by draws.line_id
                    order by draws.slice_start, draws.slice_id, draws.wallet_rank
                    rows between unbounded preceding and current row
                ) - draws.drawn_minor
            )
        ) as kept_minor
    from draws
    inner join line_caps
        on draws.line_id = line_caps.line_id

),

final as (

    select
        {{ hash_id('drw', ['segment_id', 'slice_id']) }} as drawdown_id,
        segment_id,
        invoice_id,
        line_id,
        slice_id,
        customer_id,
        currency,
        cast(kept_minor as bigint) as amount_minor,
        slice_start
    from capped
    where kept_minor > 0

)

select * from final
