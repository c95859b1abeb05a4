{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'credit_grants'}},
        'description': 'Seats that posted grants and increases are for are still those of the price book, and none came later in closed time.',
    },
) }}

{#
  What seats gave is a fact once it is posted. With other seats in the past the customer
  would keep credits for seats that it never had, or the next increase would be counted
  from a number that was never granted: undo the edit, and date the change from now on.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

declared as (

    select
        grant_type,
        grant_id,
        declared_id
    from {{ ref('grants') }}
    where source_id is not null

),

seat_adjustments as (

    select * from {{ ref('seat_adjustments') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

closed as (

    select
        contract_id,
        max(period_end) as closed_until
    from {{ ref('stg_books__invoices') }}
    where invoice_type = 'USAGE'
    group by 1

),

begun as (

    select distinct declared.declared_id
    from posted_entries
    inner join grants
        on posted_entries.segment_id = grants.segment_id
    inner join declared
        on
            grants.grant_type = declared.grant_type
            and grants.grant_id = declared.grant_id

),

posted_starts as (

    select segment_id
    from posted_entries
    where {{ is_start('entry_type') }}

),

{# Asked of the books: tables of before a close do not know what it posted. #}
movements as (

    select
        grants.grant_type,
        grants.grant_id,
        grants.segment_id,
        grants.source_id,
        grants.starting_at as effective_at
    from grants
    left join posted_starts
        on grants.segment_id = posted_starts.segment_id
    where
        grants.source_id is not null
        and posted_starts.segment_id is null
    union all
    select
        seat_adjustments.grant_type,
        seat_adjustments.grant_id,
        seat_adjustments.segment_id,
        seat_adjustments.source_id,
        seat_adjustments.effective_at
    from seat_adjustments
    left join posted_entries
        on seat_adjustments.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null

),

final as (

    select
        posted_entries.segment_id,
        posted_entries.grant_id,
        posted_entries.source_id,
        posted_entries.effective_at,
        'the posted grant was for other seats' as problem
    from posted_entries
    inner join grants
        on posted_entries.segment_id = grants.segment_id
    where
        {{ is_start('posted_entries.entry_type') }}
        and coalesce(posted_entries.source_id, '') <> coalesce(grants.source_id, '')
    union all
    select
        posted_entries.segment_id,
        posted_entries.grant_id,
        posted_entries.source_id,
        posted_entries.effective_at,
        'the seats of the posted increase did not come then' as problem
    from posted_entries
    left join seat_adjustments
        on posted_entries.entry_id = seat_adjustments.entry_id
    where
        posted_entries.entry_type like '%SEAT_BASED_ADJUSTMENT'
        and coalesce(
            seat_adjustments.effective_at <> posted_entries.effective_at, true
        )
    union all
    select
        movements.segment_id,
        movements.grant_id,
        movements.source_id,
        movements.effective_at,
        'the seats came in a period that is closed' as problem
    from movements
    inner join declared
        on
            movements.grant_type = declared.grant_type
            and movements.grant_id = declared.grant_id
    inner join begun
        on declared.declared_id = begun.declared_id
    inner join grants
        on movements.segment_id = grants.segment_id
    inner join closed
        on grants.applicable_contract_ids = closed.contract_id
    where movements.effective_at < closed.closed_until

)

select * from final
