{{ config(materialized='view') }}

{# Segments that roll over when their contract is renewed, and the segment of the
   renewal that gets what they leave. #}
with

segments as (

    select * from {{ ref('declared_segments') }}
    where new_contract_id is not null

),

grants as (

    select * from {{ ref('declared_grants') }}

),

named as (

    select
        segments.*,
        grants.rollover_fraction,
        segments.grant_id || ':' || segments.new_contract_id as new_grant_id
    from segments
    inner join grants
        on
            segments.grant_type = grants.grant_type
            and segments.grant_id = grants.grant_id

),

final as (

    select
        segment_id,
        {{ hash_id('seg', ['grant_type', 'new_grant_id', 'segment_key']) }}
            as new_segment_id,
        grant_type,
        grant_id,
        new_grant_id,
        new_contract_id,
        customer_id,
        currency,
        pricing_unit_id,
        rollover_fraction,
        declared_starting_at,
        ending_before as renewal_at,
        new_ending_before
    from named

)

select * from final
