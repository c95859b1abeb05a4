{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'period_usage'}},
        'description': 'No two events of open time with one id landed within the window of each other.',
    },
) }}

{#
  Law 1, duplicates. What a landing repeats is looked for once: a repeat that was missed
  then would be billed twice in every run after it.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

events as (

    select * from {{ ref('attributed_events') }}
    where
        customer_id is not null
        and event_date >= (
            select cast(min(periods.period_start) as date) from periods
        )

),

repeated_hashes as (

    select {{ candidate_hash('transaction_id') }} as id_hash
    from events
    group by 1
    having count(*) > 1

),

ordered as (

    select
        transaction_id,
        landing_sequence,
        landing_row,
        landed_at,
        lag(landed_at) over (
            partition by transaction_id order by landing_sequence, landing_row
        ) as earlier_landed_at
    from events
    where {{ candidate_hash('transaction_id') }} in (
        select repeated_hashes.id_hash from repeated_hashes
    )

),

final as (

    select * from ordered
    where
        earlier_landed_at is not null
        and {{ add_hours('earlier_landed_at', var('dedup_window_days') * 24) }}
        >= landed_at

)

select * from final
