{# Every price is a list of steps: one price is one step from zero without an end; past
   the last sized step its price goes on. #}
{{ config(materialized='view') }}

with

rates as (

    select
        rate_id,
        price_model,
        unit_price
    from {{ ref('stg_catalog__rates') }}
    union all
    select
        override_id as rate_id,
        price_model,
        unit_price
    from {{ ref('stg_catalog__overrides') }}
    where override_type = 'overwrite'

),

tiers as (

    select
        rate_id,
        tier_start,
        tier_end,
        unit_price,
        flat_amount
    from {{ ref('stg_catalog__rate_tiers') }}
    union all
    select
        override_id as rate_id,
        tier_start,
        tier_end,
        unit_price,
        flat_amount
    from {{ ref('stg_catalog__override_tiers') }}

),

frozen_tiers as (

    select distinct
        catalog_hash,
        rate_id,
        tier_start,
        tier_end,
        unit_price,
        {{ to_amount('coalesce(flat_amount, 0)') }} as flat_amount
    from {{ ref('stg_books__frozen_rate_tiers') }}

),

final as (

    select
        'current' as price_book,
        rate_id,
        {{ to_quantity(0) }} as tier_start,
        {{ to_quantity('null') }} as tier_end,
        unit_price,
        {{ to_amount(0) }} as flat_amount
    from rates
    where {{ has_one_price() }}
    union all
    select
        'current' as price_book,
        tiers.rate_id,
        {{ to_quantity('tiers.tier_start') }} as tier_start,
        {{ step_end('tiers.tier_start', 'tiers.tier_end', 'tiers.rate_id') }}
            as tier_end,
        tiers.unit_price,
        tiers.flat_amount
    from tiers
    inner join rates
        on tiers.rate_id = rates.rate_id
    where not {{ has_one_price('rates.') }}
    union all
    select
        catalog_hash as price_book,
        rate_id,
        tier_start,
        tier_end,
        unit_price,
        flat_amount
    from frozen_tiers

)

select * from final
