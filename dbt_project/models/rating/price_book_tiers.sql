{# Every price is a list of steps: a flat price is one step from zero without an end;
   past the last sized step its price goes on. #}
{{ config(materialized='view') }}

with

current_rates as (

    select * from {{ ref('stg_catalog__rates') }}

),

current_tiers as (

    select * from {{ ref('stg_catalog__rate_tiers') }}

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
    from current_rates
    where price_model in ('flat', 'package')
    union all
    select
        'current' as price_book,
        current_tiers.rate_id,
        {{ to_quantity('current_tiers.tier_start') }} as tier_start,
        case
            when
                current_tiers.tier_start < max(current_tiers.tier_start) over (
                    partition by current_tiers.rate_id
                )
                then {{ to_quantity('current_tiers.tier_end') }}
        end as tier_end,
        current_tiers.unit_price,
        current_tiers.flat_amount
    from current_tiers
    inner join current_rates
        on current_tiers.rate_id = current_rates.rate_id
    where current_rates.price_model not in ('flat', 'package')
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
