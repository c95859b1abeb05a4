{{ config(materialized='view') }}

{# What grants of rate type COMMIT_RATE pay at each rate that has commit prices: one for
   all, or one a tier. #}
with

rates as (

    select * from {{ ref('stg_catalog__rates') }}
    where commit_rate is not null

),

tiers as (

    select * from {{ ref('stg_catalog__rate_tiers') }}
    where commit_rate is not null

),

final as (

    select
        rate_id,
        {{ to_quantity(0) }} as tier_start,
        {{ to_quantity('null') }} as tier_end,
        commit_rate as unit_price
    from rates
    union all
    select
        rate_id,
        {{ to_quantity('tier_start') }} as tier_start,
        {{ step_end('tier_start', 'tier_end', 'rate_id') }} as tier_end,
        commit_rate as unit_price
    from tiers

)

select * from final
