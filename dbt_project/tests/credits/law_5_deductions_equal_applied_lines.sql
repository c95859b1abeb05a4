{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_ledger_entries'}},
        'description': 'Deductions that name an invoice = its applied lines, per segment, in minor units.',
    },
) }}

{#
  Law 5. The invoice tells the customer what was taken from the balance, the ledger tells
  finance: where they differ, prepaid money is wrong by the difference.
#}
with

entries as (

    {{ law_ledger_entries() }}

),

lines as (

    {{ law_invoice_lines() }}

),

deducted as (

    select
        invoice_id,
        segment_id,
        sum(amount_minor) as deducted_minor
    from entries
    where entry_type like '%DEDUCTION'
    group by 1, 2

),

applied as (

    select
        invoice_id,
        segment_id,
        sum(amount_minor) as applied_minor
    from lines
    where {{ is_applied() }}
    group by 1, 2

),

final as (

    select
        coalesce(deducted.invoice_id, applied.invoice_id) as invoice_id,
        coalesce(deducted.segment_id, applied.segment_id) as segment_id,
        deducted.deducted_minor,
        applied.applied_minor
    from deducted
    full outer join applied
        on
            deducted.invoice_id = applied.invoice_id
            and deducted.segment_id = applied.segment_id
    where coalesce(deducted.deducted_minor, 0) <> coalesce(applied.applied_minor, 0)

)

select * from final
