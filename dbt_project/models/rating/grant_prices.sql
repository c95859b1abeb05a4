{#
  Which price a grant pays for a slice where that is not the list price. One override
  counts: a commit-specific overwrite before a commit-specific multiplier, then those of
  the contract; only what targets the price that the grant pays, its commit price where
  the rate has one, is looked at.
#}
with

slices as (

    select * from {{ ref('commit_priced_slices') }}

),

grant_contracts as (

    select * from {{ ref('grant_contracts') }}

),

grants as (

    select * from {{ ref('grants') }}

),

overrides as (

    select * from {{ ref('commit_overrides') }}

),

paid as (

    select
        slices.*,
        grants.grant_type,
        grants.grant_id,
        grants.declared_as,
        grants.declared_id,
        case
            when grants.rate_type = 'COMMIT_RATE' and slices.has_commit_rate
                then 'COMMIT_RATE'
            else 'LIST_RATE'
        end as price_target
    from slices
    inner join grant_contracts
        on slices.contract_id = grant_contracts.contract_id
    inner join grants
        on
            grant_contracts.grant_type = grants.grant_type
            and grant_contracts.grant_id = grants.grant_id

),

ranked as (

    select
        paid.slice_id,
        paid.grant_type,
        paid.grant_id,
        paid.card_rate_id,
        paid.price_target,
        overrides.override_id,
        overrides.override_type,
        overrides.multiplier,
        row_number() over (
            partition by paid.slice_id, paid.grant_type, paid.grant_id
            order by
                case when overrides.is_commit_specific then 0 else 1 end asc,
                overrides.choice_rank asc,
                case
                    when overrides.override_type = 'overwrite' then overrides.added_at
                end desc,
                overrides.override_id asc
        ) as choice
    from paid
    left join overrides
        on
            paid.contract_id = overrides.contract_id
            and paid.price_target = overrides.price_target
            and {{ is_in_window('paid.slice_start', 'overrides') }}
            and {{ is_for_grant('overrides', 'paid') }}
            and {{ is_in_scope('paid', 'overrides') }}

),

final as (

    select
        slice_id,
        grant_type,
        grant_id,
        price_target || '/' || card_rate_id || coalesce('/' || override_id, '')
            as price_id,
        card_rate_id,
        price_target,
        override_id,
        override_type,
        multiplier
    from ranked
    where
        choice = 1
        and (price_target = 'COMMIT_RATE' or override_id is not null)

)

select * from final
