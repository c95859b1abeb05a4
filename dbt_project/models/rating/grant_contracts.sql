{# Contracts whose charges may draw on a grant: those of its customer that it is for,
   and the children of these that it gives access to. #}
with

grants as (

    select * from {{ ref('grants') }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

child_contracts as (

    select * from {{ ref('child_contracts') }}

),

final as (

    select
        grants.grant_type,
        grants.grant_id,
        contracts.contract_id,
        contracts.customer_id,
        false as is_child,
        cast(null as timestamp) as starting_at,
        cast(null as timestamp) as ending_before
    from grants
    inner join contracts
        on
            grants.customer_id = contracts.customer_id
            and {{ list_allows(
                'grants.applicable_contract_ids', 'contracts.contract_id'
            ) }}
    union all
    select
        grants.grant_type,
        grants.grant_id,
        child_contracts.contract_id,
        child_contracts.customer_id,
        true as is_child,
        child_contracts.starting_at,
        child_contracts.ending_before
    from grants
    inner join child_contracts
        on
            grants.customer_id = child_contracts.parent_customer_id
            and {{ list_allows(
                'grants.applicable_contract_ids', 'child_contracts.parent_contract_id'
            ) }}
    where
        grants.child_access = 'ALL'
        or (
            grants.child_access = 'CONTRACT_IDS'
            and {{ list_allows(
                'grants.child_contract_ids', 'child_contracts.contract_id'
            ) }}
        )

)

select * from final
