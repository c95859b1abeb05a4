{#
  Contracts that name a parent, a contract of another customer, and for how long: both
  must be in force for the one to draw on what the other was given. A table, because
  DuckDB 2.0.0 mixes up sides where a view that joins a view twice is used twice.
#}
with

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

final as (

    select
        children.contract_id,
        children.customer_id,
        parents.contract_id as parent_contract_id,
        parents.customer_id as parent_customer_id,
        parents.starting_at,
        parents.ending_before
    from contracts as children
    inner join contracts as parents
        on children.parent_contract_id = parents.contract_id

)

select * from final
