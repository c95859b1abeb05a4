{#
  One grant for each period of a recurring commit or credit that has begun; of one that
  is linked to a subscription, for the seats that the period has first, or for each seat.
  A period that the start or the end of the recurring commit cuts has the exact share of
  its seconds, where its proration says so.
#}
with

windows as (

    select * from {{ ref('recurring_windows') }}

),

seats as (

    select * from {{ ref('seat_increases') }}
    where is_first

),

seated as (

    select
        windows.*,
        coalesce(seats.starting_at, windows.access_start) as granted_from,
        coalesce(seats.added_seats, 1) as added_seats,
        seats.grant_id as seat_grant_id,
        seats.seat_id,
        seats.seat_group_values,
        seats.source_id,
        {{ seconds_of('windows.period_start', 'windows.period_end') }} as full_seconds,
        coalesce(
            seats.paid_seconds,
            {{ seconds_of('windows.paid_from', 'windows.paid_until') }}
        ) as seconds_per_seat
    from windows
    left join seats
        on
            windows.recurring_commit_id = seats.recurring_commit_id
            and windows.period_start = seats.period_start
    where
        windows.subscription_id is null
        or seats.grant_id is not null

),

timed as (

    select
        *,
        {{ wide_integer('seconds_per_seat * added_seats') }} as paid_seconds
    from seated

),

final as (

    select
        coalesce(
            seat_grant_id,
            recurring_commit_id || ':' || {{ day_and_time('granted_from') }}
        ) as grant_id,
        customer_id,
        contract_id,
        grant_name || coalesce(' (' || seat_id || ')', '') as grant_name,
        grant_type,
        recurring_commit_id,
        currency,
        pricing_unit_id,
        applicable_product_ids,
        applicable_product_tags,
        child_access,
        child_contract_ids,
        {{ share_of_time('amount', 'paid_seconds', 'full_seconds') }} as amount,
        {{ share_of_time('invoice_amount', 'paid_seconds', 'full_seconds') }}
            as invoice_amount,
        do_not_invoice,
        priority,
        rate_type,
        seat_group_values,
        source_id,
        granted_from as starting_at,
        access_end as ending_before
    from timed

)

select * from final
