{{ config(materialized='view') }}

{# Every grant that the price book says: commits, credits, and those that recurring
   commits have made so far. `declared_as` and `declared_id` say which row of which file it is. #}
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

final as (

    {% for grants, kind, cost in [
        ('costed_commits', 'commit', 'cost_basis'),
        ('credits', 'credit', 'invoice_amount'),
    ] -%}
    select
        grant_type,
        grant_id,
        '{{ kind }}' as declared_as,
        grant_id as declared_id,
        grant_name,
        customer_id,
        coalesce(contract_id, applicable_contract_ids) as applicable_contract_ids,
        currency,
        applicable_product_ids,
        applicable_product_tags,
        child_access,
        child_contract_ids,
        amount,
        {{ cost }} as invoice_amount,
        priority,
        rate_type,
        rollover_fraction,
        created_at,
        starting_at,
        ending_before
    from {{ grants }}
    union all
    {% endfor -%}
    select
        grant_type,
        grant_id,
        'recurring_commit' as declared_as,
        recurring_commit_id as declared_id,
        grant_name,
        customer_id,
        contract_id as applicable_contract_ids,
        currency,
        applicable_product_ids,
        applicable_product_tags,
        child_access,
        child_contract_ids,
        amount,
        invoice_amount,
        priority,
        rate_type,
        cast(null as {{ unit_price_type() }}) as rollover_fraction,
        starting_at as created_at,
        starting_at,
        ending_before
    from recurring_grants

)

select * from final
