{{ config(materialized=deep_view()) }}

{# Manual entries that the books do not have yet. #}
with

manual_entries as (

    select * from {{ ref('manual_entries') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

final as (

    select manual_entries.*
    from manual_entries
    left join posted_entries
        on manual_entries.source_id = posted_entries.source_id
    where posted_entries.source_id is null

)

select * from final -- noqa: AM04
