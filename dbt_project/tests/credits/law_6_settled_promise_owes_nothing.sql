{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_ledger_entries'}},
        'description': 'A settled postpaid commit: obligation, entries by hand, deductions, true-up, rollover and expiration add up to nothing, and the true-up is what its invoice line asks for, unless it is void.',
    },
) }}

{#
  Law 6. What is left over once a promise is settled was never invoiced, or invoiced
  without being owed; a true-up that differs from its line charges another amount than
  finance sees settled. A void line asks for nothing.
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

promises as (

    select
        entries.segment_id,
        sum(entries.amount_minor) as left_minor,
        sum(
            case
                when
                    entries.entry_type like '%TRUEUP'
                    or (
                        {{ is_reversal('entries.entry_type', 'entries.invoice_id') }}
                        and voided_invoices.invoice_type = 'TRUEUP'
                    )
                    then -entries.amount_minor
                else 0
            end
        ) as trued_up_minor,
        max(
            case
                when
                    entries.entry_type like '%TRUEUP'
                    or entries.entry_type like '%ROLLOVER'
                    or entries.entry_type like '%EXPIRATION'
                    then 1
                else 0
            end
        ) as is_settled
    from entries
    left join voided_invoices
        on entries.invoice_id = voided_invoices.invoice_id
    where entries.entry_type like 'POSTPAID%'
    group by 1

),

invoiced as (

    select
        lines.segment_id,
        sum(lines.amount_minor) as invoiced_minor
    from lines
    left join voided_invoices
        on lines.invoice_id = voided_invoices.invoice_id
    where
        lines.line_type = 'commit_trueup'
        and voided_invoices.invoice_id is null
    group by 1

),

final as (

    select
        coalesce(promises.segment_id, invoiced.segment_id) as segment_id,
        promises.left_minor,
        promises.trued_up_minor,
        invoiced.invoiced_minor
    from promises
    full outer join invoiced
        on promises.segment_id = invoiced.segment_id
    where
        (promises.is_settled = 1 and promises.left_minor <> 0)
        or coalesce(promises.trued_up_minor, 0) <> coalesce(invoiced.invoiced_minor, 0)

)

select * from final
