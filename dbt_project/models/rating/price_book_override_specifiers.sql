{# What each override is for, today and as frozen: one row a specifier; an override
   without specifiers has one row that asks for nothing. A specifier for another billing
   frequency than that of its contract is for nothing. #}
{{ config(materialized='view') }}

with

specifiers as (

    select * from {{ ref('stg_catalog__override_specifiers') }}

),

overrides as (

    select * from {{ ref('stg_catalog__overrides') }}
    where not {{ is_for_commits() }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

frozen_specifiers as (

    select distinct
        {{ frozen_columns('frozen_override_specifiers') }}
    from {{ ref('stg_books__frozen_override_specifiers') }}

),

final as (

    select
        'current' as price_book,
        overrides.override_id,
        specifiers.product_id,
        specifiers.product_tags,
        coalesce(specifiers.pricing_group_values, '{}') as pricing_group_values,
        coalesce(specifiers.presentation_group_values, '{}')
            as presentation_group_values
    from overrides
    inner join contracts
        on overrides.contract_id = contracts.contract_id
    left join specifiers
        on overrides.override_id = specifiers.override_id
    where
        coalesce(specifiers.billing_frequency, contracts.billing_frequency)
        = contracts.billing_frequency
    union all
    select
        catalog_hash as price_book,
        override_id,
        product_id,
        product_tags,
        pricing_group_values,
        presentation_group_values
    from frozen_specifiers

)

select * from final
