{{ config(materialized=deep_view()) }}

{# What a segment is made of: its own amount, and each later increase from its own
   instant on. A charge before that instant never draws on it, so rating cuts usage where
   a tranche starts or ends. #}
with

segments as (

    select * from {{ ref('grant_segments') }}

),

seat_tranches as (

    select * from {{ ref('seat_tranches') }}

),

manual_entries as (

    select * from {{ ref('manual_entries') }}
    where amount > 0

),

final as (

    select
        segment_id as tranche_id,
        segment_id,
        cast(null as string) as source_id,
        customer_id,
        currency,
        pricing_unit_id,
        decimal_places,
        amount,
        starting_at,
        ending_before
    from segments
    union all
    select
        tranche_id,
        segment_id,
        source_id,
        customer_id,
        currency,
        pricing_unit_id,
        decimal_places,
        amount,
        starting_at,
        ending_before
    from seat_tranches
    union all
    select
        {{ hash_id('trn', ['source_id']) }} as tranche_id,
        segment_id,
        source_id,
        customer_id,
        currency,
        pricing_unit_id,
        decimal_places,
        amount,
        effective_at as starting_at,
        ending_before
    from manual_entries

)

select * from final
