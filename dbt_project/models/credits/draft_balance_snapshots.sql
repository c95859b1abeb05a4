{{ config(materialized='view') }}

{# Balances at the ends of the days that the books have not recorded: one row for each
   day on which a segment's balance changed. The close records them, but for today's. #}
with

movements as (

    select * from {{ ref('daily_credit_movements') }}

),

revisions as (

    select * from {{ ref('snapshot_revisions') }}

),

grants as (

    select * from {{ ref('granted_segments') }}

),

recorded as (

    select * from {{ ref('stg_books__credit_balance_snapshots') }}

),

last_day as (

    select coalesce(max(snapshot_date), cast('0001-01-01' as date)) as recorded_until
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
        movements.movement_date,
        movements.amount_minor
    from movements
    inner join last_day
        on movements.movement_date > last_day.recorded_until
    union all
    select
        segment_id,
        movement_date,
        amount_minor
    from revisions

),

changes as (

    select
        segment_id,
        movement_date as snapshot_date,
        cast(sum(amount_minor) as bigint) as change_minor
    from unrecorded
    group by 1, 2

),

final as (

    select
        changes.snapshot_date,
        changes.segment_id,
        grants.grant_id,
        grants.customer_id,
        grants.currency,
        grants.pricing_unit_id,
        changes.change_minor,
        cast(
            coalesce(recorded_balances.balance_minor, 0)
            + sum(changes.change_minor) over (
                partition by changes.segment_id
                order by changes.snapshot_date
                rows between unbounded preceding and current row
            ) as bigint
        ) as balance_minor
    from changes
    inner join grants
        on changes.segment_id = grants.segment_id
    left join recorded_balances
        on changes.segment_id = recorded_balances.segment_id
    where changes.change_minor <> 0

)

select * from final
