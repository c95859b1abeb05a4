{{ config(materialized='view') }}

{# What each grant may pay for: one row per alternative, all of whose conditions must
   hold. A grant for everything has one row that asks for nothing; what is one seat's asks
   for the seat in each. #}
with

grants as (

    select * from {{ ref('grants') }}

),

specifiers as (

    select * from {{ ref('stg_catalog__grant_specifiers') }}

),

listed_products as (

    select
        grant_type,
        grant_id,
        seat_group_values,
        {{ list_elements('applicable_product_ids') }} as product_id
    from grants
    where applicable_product_ids is not null

),

listed_tags as (

    select
        grant_type,
        grant_id,
        seat_group_values,
        {{ list_elements('applicable_product_tags') }} as product_tags
    from grants
    where applicable_product_tags is not null

),

final as (

    select
        grant_type,
        grant_id,
        product_id,
        cast(null as string) as product_tags,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        seat_group_values
    from listed_products
    union all
    select
        grant_type,
        grant_id,
        cast(null as string) as product_id,
        product_tags,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        seat_group_values
    from listed_tags
    union all
    select
        grants.grant_type,
        grants.grant_id,
        specifiers.product_id,
        specifiers.product_tags,
        coalesce(specifiers.pricing_group_values, '{}') as pricing_group_values,
        coalesce(specifiers.presentation_group_values, '{}')
            as presentation_group_values,
        grants.seat_group_values
    from grants
    left join specifiers
        on
            grants.declared_as = specifiers.declared_as
            and grants.declared_id = specifiers.declared_id
    where
        grants.applicable_product_ids is null
        and grants.applicable_product_tags is null

)

select * from final
