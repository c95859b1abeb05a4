{{ config(materialized='view') }}

{# Whose family a customer with a parent belongs to: all charges of a family draw on its
   wallets in one order. #}
with

child_contracts as (

    select * from {{ ref('child_contracts') }}

),

final as (

    select
        customer_id,
        min(parent_customer_id) as parent_customer_id
    from child_contracts
    group by 1

)

select * from final
