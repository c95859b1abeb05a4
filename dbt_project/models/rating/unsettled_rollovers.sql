{{ config(materialized='view') }}

{# Renewals that wait for what the contract before them leaves, and their children that
   may draw on it: until that is posted nothing of them may close. #}
with

rollovers as (

    select * from {{ ref('rollovers') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

child_access as (

    select * from {{ ref('grant_contracts') }}
    where is_child

),

settled as (

    select segment_id
    from posted_entries
    group by 1
    having sum(amount_minor) = 0

),

unsettled as (

    select rollovers.*
    from rollovers
    left join settled
        on rollovers.segment_id = settled.segment_id
    where settled.segment_id is null

),

final as (

    select new_contract_id as contract_id
    from unsettled
    union
    select child_access.contract_id
    from unsettled
    inner join child_access
        on
            unsettled.grant_type = child_access.grant_type
            and unsettled.new_grant_id = child_access.grant_id

)

select * from final
