{{ config(materialized=deep_view()) }}

{# The access segments of every grant. What rolls over has no amount of its own: the
   books say what the segment before it left. #}
with

declared_segments as (

    select * from {{ ref('declared_segments') }}

),

rollovers as (

    select * from {{ ref('rollovers') }}

),

final as (

    select
        segment_id,
        grant_type,
        grant_id,
        customer_id,
        currency,
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
        {{ to_amount(0) }} as amount,
        renewal_at as starting_at,
        new_ending_before as ending_before,
        declared_starting_at
    from rollovers

)

select * from final
