{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'credit_grants'}},
        'description': 'Grants with posted entries are still in the catalog, with their amount, currency, unit and customer.',
    },
) }}

{#
  A grant whose start is posted is a promise in the books. Edited or deleted in the
  catalog, its balance would be wrong or vanish; grant the difference as a new credit.
  A pricing unit with other decimal places is another amount.
  What rolled over has its amount from the books alone, and only in the run after the
  close that posted it.
#}
with

grants as (

    select * from {{ ref('granted_segments') }}

),

starts as (

    select * from {{ ref('stg_books__ledger_entries') }}
    where {{ is_start('entry_type') }}

),

final as (

    select
        starts.segment_id,
        starts.grant_id,
        starts.amount_minor as posted_minor,
        grants.amount_minor as catalog_minor,
        starts.effective_at as posted_start,
        grants.starting_at as catalog_start
    from starts
    left join grants
        on starts.segment_id = grants.segment_id
    where
        grants.segment_id is null
        or (
            grants.rolled_over_from is null
            and starts.amount_minor <> grants.amount_minor
        )
        or starts.currency <> grants.currency
        or coalesce(starts.pricing_unit_id, '') <> coalesce(grants.pricing_unit_id, '')
        or starts.customer_id <> grants.customer_id
        or starts.effective_at <> grants.starting_at

)

select * from final
