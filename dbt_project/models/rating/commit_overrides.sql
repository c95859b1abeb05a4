{{ config(materialized='view') }}

{# Overrides of what commits and credits pay, one row an alternative of what they are
   for. Of several that hold, the lowest choice_rank counts, as among list overrides. #}
with

overrides as (

    select * from {{ ref('stg_catalog__overrides') }}
    where {{ is_for_commits() }}

),

specifiers as (

    select * from {{ ref('stg_catalog__override_specifiers') }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

final as (

    select
        overrides.override_id,
        overrides.contract_id,
        contracts.customer_id,
        overrides.override_type,
        overrides.price_target,
        overrides.is_commit_specific,
        overrides.multiplier,
        case
            when overrides.override_type = 'overwrite'
                then cast(-1 as decimal(18, 12))
            when contracts.multiplier_override_prioritization = 'explicit'
                then overrides.priority
            else overrides.multiplier
        end as choice_rank,
        specifiers.product_id,
        specifiers.product_tags,
        coalesce(specifiers.pricing_group_values, '{}') as pricing_group_values,
        coalesce(specifiers.presentation_group_values, '{}')
            as presentation_group_values,
        specifiers.commit_ids,
        specifiers.recurring_commit_ids,
        overrides.added_at,
        overrides.starting_at,
        overrides.ending_before
    from overrides
    inner join contracts
        on overrides.contract_id = contracts.contract_id
    left join specifiers
        on overrides.override_id = specifiers.override_id
    where
        coalesce(specifiers.billing_frequency, contracts.billing_frequency)
        = contracts.billing_frequency

)

select * from final
