{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'credit_grants'}},
        'description': 'Pricing units with posted entries are still in the catalog, with the decimal_places that they were posted with (catalog/pricing_units.csv).',
    },
) }}

{#
  The books hold whole numbers of a unit's smallest part. Were the part another one, all
  that is posted would be worth a power of ten more or less. Grants of the catalog would
  tell, but what a recurring commit gave and what rolled over are known from the books
  alone. The places of a close are frozen with the conversions of its price book.
#}
with

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}
    where pricing_unit_id is not null

),

closes as (

    select * from {{ ref('stg_books__closes') }}

),

frozen_conversions as (

    select * from {{ ref('stg_books__frozen_pricing_unit_conversions') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

final as (

    select
        posted_entries.pricing_unit_id,
        frozen_conversions.decimal_places as posted_decimal_places,
        pricing_units.decimal_places as catalog_decimal_places,
        count(*) as entries
    from posted_entries
    inner join closes
        on posted_entries.close_id = closes.close_id
    left join frozen_conversions
        on
            closes.catalog_hash = frozen_conversions.catalog_hash
            and posted_entries.pricing_unit_id = frozen_conversions.pricing_unit_id
    left join pricing_units
        on posted_entries.pricing_unit_id = pricing_units.pricing_unit_id
    where
        pricing_units.pricing_unit_id is null
        or pricing_units.decimal_places <> frozen_conversions.decimal_places
    group by 1, 2, 3

)

select * from final
