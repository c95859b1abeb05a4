{{ config(materialized='view') }}

{# What has become known since of days whose balances are recorded: late usage of a
   period that was open then. It counts on the first day after them. #}
with

entries as (

    select * from {{ ref('ledger_entries') }}

),

movements as (

    select * from {{ ref('daily_credit_movements') }}

),

recorded as (

    select * from {{ ref('stg_books__credit_balance_snapshots') }}

),

last_day as (

    select max(snapshot_date) as recorded_until
    from recorded

),

recorded_balances as (

    select
        segment_id,
        sum(change_minor) as balance_minor
    from recorded
    group by 1

),

unrecorded as (

    select
        movements.segment_id,
        sum(movements.amount_minor) as moved_minor
    from movements
    inner join last_day
        on movements.movement_date > last_day.recorded_until
    group by 1

),

balances as (

    select
        segment_id,
        sum(amount_minor) as balance_minor
    from entries
    group by 1

),

final as (

    select
        balances.segment_id,
        {{ add_days('last_day.recorded_until', 1) }} as movement_date,
        cast(
            balances.balance_minor
            - coalesce(unrecorded.moved_minor, 0)
            - coalesce(recorded_balances.balance_minor, 0) as bigint
        ) as amount_minor
    from balances
    inner join last_day
        on last_day.recorded_until is not null
    left join unrecorded
        on balances.segment_id = unrecorded.segment_id
    left join recorded_balances
        on balances.segment_id = recorded_balances.segment_id
    where
        balances.balance_minor <> coalesce(unrecorded.moved_minor, 0)
        + coalesce(recorded_balances.balance_minor, 0)

)

select * from final
