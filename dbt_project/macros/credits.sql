{# How many ranks to unroll: the deepest wallet of this run, never more than the
   configured depth. A deeper wallet fails law wallet_depth instead of losing a grant. #}
{% macro wallet_depth() -%}
    {% set rows = fetch_rows(
        'select coalesce(max(wallet_rank), 0) as depth from ' ~ ref('active_grants')
    ) %}
    {% set deepest = rows[0].depth | int if rows else 0 %}
    {{ return([deepest, var('credit_depth') | int] | min) }}
{%- endmacro %}

{# May the grant pay the charge: within its access window, its contract, its products? #}
{% macro grant_pays(grant, charge) -%}
    {{ grant }}.segment_id is not null
    and {{ charge }}.slice_start >= {{ grant }}.starting_at
    and (
        {{ grant }}.ending_before is null
        or {{ charge }}.slice_start < {{ grant }}.ending_before
    )
    and (
        {{ grant }}.contract_id is null
        or {{ grant }}.contract_id = {{ charge }}.contract_id
    )
    and {{ list_allows(grant ~ '.applicable_product_ids', charge ~ '.product_id') }}
{%- endmacro %}

{# What a grant takes of one charge: the part of the running eligible total that its
   balance reaches. #}
{% macro prefix_draw() -%}
    cast(
        greatest(
            least(
                sum(eligible_minor) over (
                    partition by customer_id, currency
                    order by charge_rank
                    rows between unbounded preceding and current row
                ),
                coalesce(opening_balance_minor, 0)
            )
            - (
                sum(eligible_minor) over (
                    partition by customer_id, currency
                    order by charge_rank
                    rows between unbounded preceding and current row
                ) - eligible_minor
            ),
            0
        ) as bigint
    )
{%- endmacro %}

{# Order of entries with the same instant: a segment starts before it is drawn on, and
   expires last. #}
{% macro entry_order(entry_type) -%}
    case
        when {{ entry_type }} like '%SEGMENT_START' then 1
        when {{ entry_type }} like '%DEDUCTION' then 2
        when {{ entry_type }} like '%EXPIRATION' then 9
        else 5
    end
{%- endmacro %}
