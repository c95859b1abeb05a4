{{ config(tags=['reader']) }}

{# Balance of each segment at the end of each day on which it changed, usage counted on
   the day it happened: as the books recorded it, and what has changed since. #}
with

recorded as (

    select * from {{ ref('stg_books__credit_balance_snapshots') }}

),

drafts as (

    select * from {{ ref('draft_balance_snapshots') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

snapshots as (

    select
        snapshot_date,
        segment_id,
        grant_id,
        customer_id,
        currency,
        pricing_unit_id,
        change_minor,
        balance_minor,
        closed_at as recorded_at
    from recorded
    union all
    select
        snapshot_date,
        segment_id,
        grant_id,
        customer_id,
        currency,
        pricing_unit_id,
        change_minor,
        balance_minor,
        cast(null as timestamp) as recorded_at
    from drafts

),

final as (

    select
        snapshots.snapshot_date,
        lead(snapshots.snapshot_date) over (
            partition by snapshots.segment_id order by snapshots.snapshot_date
        ) as next_snapshot_date,
        snapshots.segment_id,
        snapshots.grant_id,
        snapshots.customer_id,
        snapshots.currency,
        snapshots.pricing_unit_id,
        snapshots.change_minor,
        snapshots.balance_minor,
        {{ from_minor(
            'snapshots.balance_minor',
            smallest_unit('snapshots', 'currencies', 'pricing_units')
        ) }} as balance,
        snapshots.recorded_at
    from snapshots
    inner join currencies
        on snapshots.currency = currencies.currency
    left join pricing_units
        on snapshots.pricing_unit_id = pricing_units.pricing_unit_id

)

select * from final
