{{ config(materialized='view') }}

{# Contracts where some grant may pay another price than the list price. #}
with

grants as (

    select * from {{ ref('grants') }}
    where rate_type = 'COMMIT_RATE'

),

grant_contracts as (

    select * from {{ ref('grant_contracts') }}

),

commit_overrides as (

    select * from {{ ref('commit_overrides') }}

),

final as (

    select contract_id
    from commit_overrides
    union
    select grant_contracts.contract_id
    from grant_contracts
    inner join grants
        on
            grant_contracts.grant_type = grants.grant_type
            and grant_contracts.grant_id = grants.grant_id

)

select * from final
