{{ config(materialized='view') }}

{# Every grant of the price book: commits, credits, and those that recurring commits
   have made so far. `declared_as` and `declared_id` say which row of which file it is. #}
with

commits as (

    select * from {{ ref('stg_catalog__commits') }}

),

credits as (

    select * from {{ ref('stg_catalog__credits') }}

),

recurring_grants as (

    select * from {{ ref('recurring_grants') }}

),

final as (

    {% for grants, kind in [('commits', 'commit'), ('credits', 'credit')] -%}
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
        amount,
        invoice_amount,
        priority,
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
        amount,
        invoice_amount,
        priority,
        starting_at as created_at,
        starting_at,
        ending_before
    from recurring_grants

)

select * from final
