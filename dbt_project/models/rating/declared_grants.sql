{{ config(materialized='view') }}

{# Every grant that the price book says: commits, credits, those that recurring commits
   have made so far, and what balances were topped up with. `declared_as` and `declared_id`
   say which row of which file it is. #}
with

commits as (

    select * from {{ ref('stg_catalog__commits') }}

),

credits as (

    select * from {{ ref('stg_catalog__credits') }}

),

{# What a commit costs is what its invoices come to, unless that is said. #}
invoiced as (

    select
        grant_id,
        {{ to_amount('sum(amount)') }} as invoiced_amount
    from {{ ref('stg_catalog__invoice_schedules') }}
    group by 1

),

costed_commits as (

    select
        commits.*,
        coalesce(
            commits.invoice_amount, invoiced.invoiced_amount, {{ to_amount(0) }}
        ) as cost_basis
    from commits
    left join invoiced
        on commits.grant_id = invoiced.grant_id

),

recurring_grants as (

    select * from {{ ref('recurring_grants') }}

),

threshold_grants as (

    select * from {{ ref('threshold_grants') }}

),

final as (

    {% for grants, kind, cost in [
        ('costed_commits', 'commit', 'cost_basis'),
        ('credits', 'credit', 'invoice_amount'),
        ('recurring_grants', 'recurring_commit', 'invoice_amount'),
        ('threshold_grants', 'threshold', 'invoice_amount'),
    ] -%}
    {% set is_declared_itself = kind in ('commit', 'credit') -%}
    select
        grant_type,
        grant_id,
        '{{ kind }}' as declared_as,
        {{ 'grant' if is_declared_itself else kind }}_id as declared_id,
        grant_name,
        customer_id,
        {% if is_declared_itself -%}
        coalesce(contract_id, applicable_contract_ids) as applicable_contract_ids,
        {% else -%}
        contract_id as applicable_contract_ids,
        {% endif -%}
        currency,
        {{ 'cast(null as string) as ' if kind == 'threshold' }}pricing_unit_id,
        applicable_product_ids,
        applicable_product_tags,
        child_access,
        child_contract_ids,
        amount,
        {{ cost }} as invoice_amount,
        priority,
        {{ "'LIST_RATE' as " if kind == 'threshold' }}rate_type,
        {% set blank = '' if kind == 'recurring_commit' else 'cast(null as string) as '
        -%}
        {{ blank }}seat_group_values,
        {{ blank }}source_id,
        {% if is_declared_itself -%}
        rollover_fraction,
        created_at,
        {% else -%}
        cast(null as {{ unit_price_type() }}) as rollover_fraction,
        starting_at as created_at,
        {% endif -%}
        starting_at,
        ending_before
    from {{ grants }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor %}

)

select * from final
