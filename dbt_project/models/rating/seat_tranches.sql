{# What more seats within a period add to its grant, each increase from its own instant
   on: where the recurring commit says so, for the share of the seconds that are left. #}
with

increases as (

    select * from {{ ref('seat_increases') }}
    where not is_first

),

segments as (

    select * from {{ ref('grant_segments') }}

),

identified as (

    select
        {{ hash_id('seg', ['grant_type', 'grant_id', "'1'"]) }} as segment_id,
        *,
        {{ wide_integer('paid_seconds * added_seats') }} as seat_seconds
    from increases

),

final as (

    select
        {{ hash_id('trn', ['identified.segment_id', 'identified.source_id']) }}
            as tranche_id,
        identified.segment_id,
        identified.grant_type,
        identified.grant_id,
        identified.source_id,
        identified.customer_id,
        identified.currency,
        segments.pricing_unit_id,
        segments.decimal_places,
        identified.added_seats,
        {{ share_of_time(
            'identified.amount', 'identified.seat_seconds', 'identified.full_seconds'
        ) }} as amount,
        identified.starting_at,
        identified.ending_before
    from identified
    left join segments
        on identified.segment_id = segments.segment_id

)

select * from final
