{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_ledger_entries'}},
        'description': 'A segment has at most one deduction entry for an invoice.',
    },
) }}

{#
  Law 4, deductions. Two entries for one invoice take a customer's balance twice for the
  same usage.
#}
with

entries as (

    {{ law_ledger_entries() }}

),

final as (

    select
        segment_id,
        invoice_id,
        count(*) as deductions,
        sum(amount_minor) as amount_minor
    from entries
    where entry_type like '%DEDUCTION'
    group by 1, 2
    having count(*) > 1 or max(case when invoice_id is null then 1 else 0 end) = 1

)

select * from final
