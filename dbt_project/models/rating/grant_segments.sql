{{ config(materialized=deep_view()) }}

{# The access segments of every grant. What rolls over has no amount of its own: the
   books say what the segment before it left. #}
with

declared_segments as (

    select * from {{ ref('declared_segments') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

rollovers as (

    select * from {{ ref('rollovers') }}

),

segments as (

    select
        segment_id,
        grant_type,
        grant_id,
        customer_id,
        currency,
        pricing_unit_id,
        amount,
        starting_at,
        ending_before,
        declared_starting_at
    from declared_segments
    union all
    select
        new_segment_id as segment_id,
        grant_type,
        new_grant_id as grant_id,
        customer_id,
        currency,
        pricing_unit_id,
        {{ to_amount(0) }} as amount,
        renewal_at as starting_at,
        new_ending_before as ending_before,
        declared_starting_at
    from rollovers

),

final as (

    select
        segments.*,
        pricing_units.decimal_places
    from segments
    left join pricing_units
        on segments.pricing_unit_id = pricing_units.pricing_unit_id

)

select * from final
