{{ config(materialized='view', tags=['reader']) }}

{#
  What was paid for each segment of prepaid commits and credits. The cost of a commit is
  spread over its segments by amount; what rolled over brings the cost of the movement
  that it came with.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}
    where grant_type <> 'POSTPAID_COMMIT'

),

rollovers as (

    select * from {{ ref('rollovers') }}

),

movements as (

    select * from {{ ref('own_movements') }}
    where entry_type like '%ROLLOVER'

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

declared as (

    select
        grants.segment_id,
        {{ to_minor('grants.invoice_amount', 'currencies.minor_unit_factor') }}
            as grant_cost_minor,
        grants.amount_minor,
        sum(grants.amount_minor) over (
            partition by grants.grant_type, grants.grant_id
            order by grants.starting_at, grants.segment_id
            rows between unbounded preceding and current row
        ) as granted_so_far_minor,
        sum(grants.amount_minor) over (
            partition by grants.grant_type, grants.grant_id
        ) as granted_minor
    from grants
    inner join currencies
        on grants.currency = currencies.currency
    where grants.rolled_over_from is null

),

declared_costs as (

    select
        segment_id,
        {{ share_between_minor(
            'grant_cost_minor', 'granted_so_far_minor - amount_minor',
            'granted_so_far_minor', 'granted_minor'
        ) }} as cost_minor
    from declared

),

final as (

    select * from declared_costs
    union all
    select
        rollovers.new_segment_id as segment_id,
        {{ share_between_minor(
            'declared_costs.cost_minor', 'movements.own_before_minor',
            'movements.own_after_minor', 'movements.granted_minor'
        ) }} as cost_minor
    from rollovers
    inner join movements
        on rollovers.segment_id = movements.segment_id
    inner join declared_costs
        on rollovers.segment_id = declared_costs.segment_id

)

select * from final
