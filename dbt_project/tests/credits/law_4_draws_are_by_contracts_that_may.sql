{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'credit_drawdowns'}},
        'description': 'A grant pays its own contracts, in its own unit, and children that it gives access to, while their parent is in force.',
    },
) }}

{#
  Law 4, access. A grant that pays anybody else spends one customer's prepaid money on
  another customer's usage: both are told wrong balances, and one is not billed. One that
  pays a line in another unit, or in money, takes credits for dollars.
#}
with

drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

charges as (

    select * from {{ ref('drawable_charges') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

judged as (

    select
        drawdowns.drawdown_id,
        grants.grant_id,
        grants.customer_id,
        charges.contract_id,
        drawdowns.currency,
        drawdowns.amount_minor,
        {{ is_same_unit('grants', 'charges') }} as is_in_its_unit,
        (
            grants.customer_id = contracts.customer_id
            and {{ list_allows(
                'grants.applicable_contract_ids', 'contracts.contract_id'
            ) }}
        ) as is_own,
        (
            grants.customer_id = parents.customer_id
            and {{ list_allows(
                'grants.applicable_contract_ids', 'parents.contract_id'
            ) }}
            and {{ is_in_window('drawdowns.slice_start', 'parents') }}
            and (
                grants.child_access = 'ALL'
                or (
                    grants.child_access = 'CONTRACT_IDS'
                    and {{ list_allows(
                        'grants.child_contract_ids', 'contracts.contract_id'
                    ) }}
                )
            )
        ) as is_child
    from drawdowns
    inner join charges
        on drawdowns.slice_id = charges.slice_id
    inner join grants
        on drawdowns.segment_id = grants.segment_id
    left join contracts
        on charges.contract_id = contracts.contract_id
    left join contracts as parents
        on contracts.parent_contract_id = parents.contract_id

),

final as (

    select * from judged
    where
        not is_in_its_unit
        or (
            not coalesce(is_own, false)
            and not coalesce(is_child, false)
        )

)

select * from final
