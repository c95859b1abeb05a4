{{ config(materialized='view') }}

{#
  What money each contract can spend now: what is left, after all draws of open periods, of the
  prepaid commits and credits that its charges may draw on at this instant. What several
  contracts share counts for each of them.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}
    where
        grant_type <> 'POSTPAID_COMMIT'
        -- One seat's credits are not the contract's to spend.
        and seat_group_values is null
        and pricing_unit_id is null

),

grant_contracts as (

    select * from {{ ref('grant_contracts') }}

),

entries as (

    select
        segment_id,
        amount_minor
    from {{ ref('stg_books__ledger_entries') }}
    union all
    select
        segment_id,
        amount_minor
    from {{ ref('draft_movements') }}

),

balances as (

    select
        segment_id,
        sum(amount_minor) as balance_minor
    from entries
    group by 1

),

final as (

    select
        grant_contracts.contract_id,
        grants.currency,
        cast(greatest(sum(balances.balance_minor), 0) as bigint) as balance_minor
    from grants
    inner join grant_contracts
        on
            grants.grant_type = grant_contracts.grant_type
            and grants.grant_id = grant_contracts.grant_id
    inner join balances
        on grants.segment_id = balances.segment_id
    where
        {{ is_in_window(as_of(), 'grants') }}
        and coalesce(grant_contracts.starting_at, grants.starting_at) <= {{ as_of() }}
        and {{ endless('grant_contracts.ending_before') }} > {{ as_of() }}
    group by 1, 2

)

select * from final
