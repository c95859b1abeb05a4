{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'credit_balance_snapshots'}},
        'description': 'The last daily snapshot of a started segment is its balance.',
    },
) }}

{# Finance asks for balances on past dates: snapshots that do not end at the balance of
   today are wrong on some day before. #}
with

snapshots as (

    select
        segment_id,
        balance_minor,
        row_number() over (
            partition by segment_id order by snapshot_date desc
        ) as recency
    from {{ ref('credit_balance_snapshots') }}

),

balances as (

    select * from {{ ref('credit_balances') }}

),

final as (

    select
        balances.segment_id,
        balances.grant_id,
        balances.balance_minor,
        snapshots.balance_minor as snapshot_minor
    from balances
    left join snapshots
        on
            balances.segment_id = snapshots.segment_id
            and snapshots.recency = 1
    where
        balances.segment_status <> 'future'
        and coalesce(snapshots.balance_minor, 0) <> balances.balance_minor

)

select * from final
