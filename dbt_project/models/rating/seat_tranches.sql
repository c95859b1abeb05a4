{# What more seats within a period add to its grant, each increase from its own instant
   on: where the recurring commit says so, for the share of the seconds that are left. #}
with

increases as (

    select * from {{ ref('seat_increases') }}
    where not is_first

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
        {{ hash_id('trn', ['segment_id', 'source_id']) }} as tranche_id,
        segment_id,
        grant_type,
        grant_id,
        source_id,
        customer_id,
        currency,
        added_seats,
        {{ share_of_time('amount', 'seat_seconds', 'full_seconds') }} as amount,
        starting_at,
        ending_before
    from identified

)

select * from final
