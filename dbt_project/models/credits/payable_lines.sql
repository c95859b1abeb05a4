{#
  Which line each active grant may pay for, by contract, product and group values; the
  access window is held against the single charge. That of a child's line lies within the
  parent's contract.
#}
with

charges as (

    select * from {{ ref('drawable_charges') }}

),

grants as (

    select * from {{ ref('active_grants') }}

),

grant_contracts as (

    select * from {{ ref('grant_contracts') }}

),

scopes as (

    select * from {{ ref('grant_scopes') }}

),

lines as (

    select
        line_id,
        line_type,
        contract_id,
        product_id,
        product_tags,
        pricing_group_values,
        presentation_group_values,
        currency,
        pricing_unit_id,
        min(slice_start) as first_charge_at,
        max(slice_start) as last_charge_at
    from charges
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9

),

reachable as (

    select
        lines.*,
        grants.tranche_id,
        grants.segment_id,
        grants.grant_type,
        grants.grant_id,
        grants.wallet_rank,
        grants.opening_balance_minor,
        greatest(
            grants.starting_at,
            coalesce(grant_contracts.starting_at, grants.starting_at)
        ) as starting_at,
        {{ earlier_end('grants.ending_before', 'grant_contracts.ending_before') }}
            as ending_before
    from lines
    inner join grant_contracts
        on lines.contract_id = grant_contracts.contract_id
    inner join grants
        on
            {{ is_same_unit('lines', 'grants') }}
            and grant_contracts.grant_type = grants.grant_type
            and grant_contracts.grant_id = grants.grant_id

),

final as (

    select distinct
        reachable.line_id,
        reachable.tranche_id,
        reachable.segment_id,
        reachable.grant_type,
        reachable.grant_id,
        reachable.wallet_rank,
        reachable.opening_balance_minor,
        reachable.starting_at,
        reachable.ending_before
    from reachable
    inner join scopes
        on
            reachable.grant_type = scopes.grant_type
            and reachable.grant_id = scopes.grant_id
            and {{ is_in_scope('reachable', 'scopes') }}
            and {{ is_of_seat('reachable', 'scopes') }}
    where
        reachable.last_charge_at >= reachable.starting_at
        and reachable.first_charge_at < {{ endless('reachable.ending_before') }}

)

select * from final
