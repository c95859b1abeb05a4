{{ config(materialized='view') }}

{#
  How narrow each grant is, which decides between grants of one priority: narrower ones
  are drawn first. Tags are counted by the products of the instant the grant, or the
  recurring commit, first starts, so that its place does not move when a product gets a
  tag. One that is for no product yet is as narrow as for one.
#}
with

scopes as (

    select * from {{ ref('grant_scopes') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

starts as (

    select
        grant_type,
        grant_id,
        min(declared_starting_at) as starting_at
    from {{ ref('grant_segments') }}
    group by 1, 2

),

named_products as (

    select
        scopes.grant_type,
        scopes.grant_id,
        cast(count(distinct products.product_id) as bigint) as products
    from scopes
    inner join starts
        on
            scopes.grant_type = starts.grant_type
            and scopes.grant_id = starts.grant_id
    inner join products
        on
            (scopes.product_id is not null or scopes.product_tags is not null)
            and (scopes.product_id is null or scopes.product_id = products.product_id)
            and (
                scopes.product_tags is null
                or {{ list_has_all('products.tags', 'scopes.product_tags') }}
            )
            and {{ is_in_window('starts.starting_at', 'products') }}
    group by 1, 2

),

counted as (

    select
        scopes.grant_type,
        scopes.grant_id,
        max(
            case
                when scopes.product_id is null and scopes.product_tags is null then 1
                else 0
            end
        ) = 1 as is_for_any_product,
        cast(
            sum(case when {{ has_group_values_only('scopes') }} then 1 else 0 end)
            as bigint
        ) as group_specifiers
    from scopes
    group by 1, 2

),

final as (

    select
        counted.grant_type,
        counted.grant_id,
        case
            when counted.is_for_any_product then cast({{ everything() }} as bigint)
            else greatest(coalesce(named_products.products, 0), 1)
        end as applicable_products,
        case
            when counted.group_specifiers = 0 then cast({{ everything() }} as bigint)
            else counted.group_specifiers
        end as applicable_usage
    from counted
    left join named_products
        on
            counted.grant_type = named_products.grant_type
            and counted.grant_id = named_products.grant_id

)

select * from final
