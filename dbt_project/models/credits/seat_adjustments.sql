{{ config(materialized=deep_view()) }}

{# The ledger entry of each increase of seats within a period. What is posted is a fact:
   it keeps its amount. #}
with

tranches as (

    select * from {{ ref('seat_tranches') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

typed as (

    select
        tranches.*,
        tranches.grant_type || '_SEAT_BASED_ADJUSTMENT' as entry_type,
        {{ to_smallest('tranches.amount', 'tranches', 'currencies') }}
            as amount_minor
    from tranches
    inner join currencies
        on tranches.currency = currencies.currency

),

identified as (

    select
        *,
        {{ hash_id('le', ['entry_type', 'segment_id', 'source_id']) }} as entry_id
    from typed

),

final as (

    select
        identified.entry_id,
        identified.entry_type,
        identified.tranche_id,
        identified.segment_id,
        identified.grant_type,
        identified.grant_id,
        identified.customer_id,
        identified.currency,
        identified.pricing_unit_id,
        coalesce(posted_entries.amount_minor, identified.amount_minor) as amount_minor,
        identified.source_id,
        posted_entries.entry_id is not null as is_posted,
        identified.starting_at as effective_at
    from identified
    left join posted_entries
        on identified.entry_id = posted_entries.entry_id

)

select * from final
