{{ config(materialized='view') }}

{# Segments of all grants that the ledger knows: those that charges of this run may draw
   on, and what this run tops up, which charges draw on from the next run on. #}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

recharges as (

    select * from {{ ref('draft_recharges') }}

),

final as (

    select
        segment_id,
        grant_id,
        grant_type,
        grant_name,
        rolled_over_from,
        customer_id,
        applicable_contract_ids,
        applicable_product_ids,
        currency,
        pricing_unit_id,
        minor_unit,
        amount_minor,
        burn_rank,
        starting_at,
        ending_before
    from grants
    union all
    select
        recharges.segment_id,
        recharges.grant_id,
        recharges.grant_type,
        recharges.grant_name,
        cast(null as string) as rolled_over_from,
        recharges.customer_id,
        recharges.contract_id as applicable_contract_ids,
        recharges.applicable_product_ids,
        recharges.currency,
        cast(null as string) as pricing_unit_id,
        cast(recharges.minor_unit as {{ minor_unit_type() }}) as minor_unit,
        recharges.amount_minor,
        cast(null as bigint) as burn_rank,
        recharges.starting_at,
        recharges.ending_before
    from recharges
    left join grants
        on recharges.segment_id = grants.segment_id
    where grants.segment_id is null

)

select * from final
