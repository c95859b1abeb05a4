{{ config(materialized=deep_view()) }}

{# When a customer's charges may begin or cease to draw on a grant: with a tranche of
   its own or of its parent's, and with the parent's contract. #}
with

tranches as (

    select * from {{ ref('grant_tranches') }}

),

child_contracts as (

    select * from {{ ref('child_contracts') }}

),

final as (

    select
        customer_id,
        starting_at,
        ending_before
    from tranches
    union
    select
        child_contracts.customer_id,
        tranches.starting_at,
        tranches.ending_before
    from child_contracts
    inner join tranches
        on child_contracts.parent_customer_id = tranches.customer_id
    union
    select
        customer_id,
        starting_at,
        ending_before
    from child_contracts

)

select * from final
