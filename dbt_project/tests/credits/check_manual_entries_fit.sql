{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'tranche_balances'}},
        'description': 'Manual ledger entries stand within their segment and take no more than it has left.',
    },
) }}

{#
  What an operator instructed stays, though the price book and the books move on. An entry
  that no longer fits would take money that is spent, or vanish with its segment: restore
  the segment, or give back the difference (`meterhouse ledger-entry`).
#}
with

instructions as (

    select * from {{ ref('stg_ops__instructions') }}
    where kind = 'manual_ledger_entry'

),

entries as (

    select * from {{ ref('manual_entries') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

posted as (

    select * from {{ ref('stg_books__ledger_entries') }}
    where source_id is not null

),

unposted as (

    select
        segment_id,
        sum(amount_minor) as unposted_minor,
        min(amount_minor) as lowest_minor
    from {{ ref('unposted_manual_entries') }}
    group by 1

),

misplaced as (

    select
        instructions.target_id as segment_id,
        instructions.instruction_id as source_id,
        instructions.amount,
        case
            when entries.source_id is null then 'its segment is not in the price book'
            when
                entries.currency <> instructions.currency
                or coalesce(entries.pricing_unit_id, '')
                <> coalesce(instructions.pricing_unit_id, '')
                then 'its segment has another currency'
            when
                posted.source_id is null
                and not ({{ is_in_window('entries.effective_at', 'grants') }})
                then 'it takes effect outside of its segment'
        end as problem
    from instructions
    left join entries
        on instructions.instruction_id = entries.source_id
    left join grants
        on instructions.target_id = grants.segment_id
    left join posted
        on instructions.instruction_id = posted.source_id

),

final as (

    select
        segment_id,
        source_id,
        amount,
        problem
    from misplaced
    where problem is not null
    union all
    select
        unposted.segment_id,
        cast(null as string) as source_id,
        {{ to_amount('null') }} as amount,
        'entries take more than is left' as problem
    from unposted
    inner join grants
        on unposted.segment_id = grants.segment_id
    where
        unposted.lowest_minor < 0
        and grants.opening_balance_minor + unposted.unposted_minor < 0

)

select * from final
