{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'period_usage'}},
        'description': 'No usage of a product is billed under two contracts of its customer.',
    },
) }}

{# Two overlapping contracts that entitle the same usage would both bill it. #}
with

final as (

    select
        customer_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        usage_hour,
        count(distinct contract_id) as contracts,
        min(contract_id) as first_contract_id,
        max(contract_id) as last_contract_id
    from {{ ref('period_usage') }}
    where
        rating_basis = 'open'
        and is_entitled
    group by 1, 2, 3, 4, 5
    having count(distinct contract_id) > 1

)

select * from final
