{{ config(materialized='view') }}

{# What rolls over when a contract is renewed: what the segment leaves, and no more than
   its fraction of what was granted. #}
with

rollovers as (

    select * from {{ ref('rollovers') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

expired_balances as (

    select * from {{ ref('expired_balances') }}

),

final as (

    select
        rollovers.segment_id,
        rollovers.new_segment_id,
        rollovers.grant_type,
        rollovers.grant_id,
        rollovers.new_grant_id,
        rollovers.customer_id,
        rollovers.currency,
        rollovers.pricing_unit_id,
        least(
            expired_balances.expired_minor,
            {{ to_minor(
                multiply_amount('grants.amount_minor', 'rollovers.rollover_fraction'), 1
            ) }}
        ) as rolled_minor,
        expired_balances.posts_at_close,
        rollovers.renewal_at
    from rollovers
    inner join expired_balances
        on rollovers.segment_id = expired_balances.segment_id
    inner join grants
        on rollovers.segment_id = grants.segment_id

)

select * from final
