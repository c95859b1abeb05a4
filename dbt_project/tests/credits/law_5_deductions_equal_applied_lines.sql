{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_ledger_entries'}},
        'description': 'Deductions that name an invoice, less what a void gave back = its applied lines, per segment, in minor units or smallest parts of a pricing unit; of a void invoice, nothing.',
    },
) }}

{#
  Law 5. The invoice tells the customer what was taken from the balance, the ledger tells
  finance: where they differ, prepaid money is wrong by the difference. A void invoice takes
  nothing: what it had taken has come back, to the cent.
#}
with

entries as (

    {{ law_ledger_entries() }}

),

lines as (

    {{ law_invoice_lines() }}

),

voided_invoices as (

    select * from {{ ref('voided_invoices') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

{# What comes back of them is for law 6. #}
trueups as (

    select invoice_id from voided_invoices
    where invoice_type = 'TRUEUP'

),

deducted as (

    select
        entries.invoice_id,
        entries.segment_id,
        sum(entries.amount_minor) as deducted_minor
    from entries
    left join trueups
        on entries.invoice_id = trueups.invoice_id
    where
        entries.entry_type like '%DEDUCTION'
        or (
            {{ is_reversal('entries.entry_type', 'entries.invoice_id') }}
            and trueups.invoice_id is null
        )
    group by 1, 2

),

applied as (

    select
        lines.invoice_id,
        lines.segment_id,
        sum({{ minor_of_line('lines', 'pricing_units') }}) as applied_minor
    from lines
    left join pricing_units
        on lines.pricing_unit_id = pricing_units.pricing_unit_id
    left join voided_invoices
        on lines.invoice_id = voided_invoices.invoice_id
    where
        {{ is_applied('lines.') }}
        and voided_invoices.invoice_id is null
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
