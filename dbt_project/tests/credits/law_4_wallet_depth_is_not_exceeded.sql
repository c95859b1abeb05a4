{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'active_grants'}},
        'description': 'No wallet (of a family: all together) has more active grants than credit_depth.',
    },
) }}

{#
  Law 4, depth. A grant beyond the configured depth would silently not be drawn: its
  customer would pay for usage that was prepaid. Raise the variable credit_depth.
#}
with

final as (

    select
        family_id,
        currency,
        max(wallet_rank) as active_grants,
        {{ var('credit_depth') | int }} as credit_depth
    from {{ ref('active_grants') }}
    group by 1, 2
    having max(wallet_rank) > {{ var('credit_depth') | int }}

)

select * from final
