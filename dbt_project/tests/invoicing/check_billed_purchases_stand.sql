{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoices'}},
        'description': 'What closed invoices charge for commits is still asked for in the catalog.',
    },
) }}

{#
  A billed amount that is moved to another date in the catalog would be billed again, and
  one that is edited or removed contradicts what the customer was told. Undo the edit, and
  give the difference as a commit of its own. A recurring commit may change: what it gave
  is a fact.
#}
with

billed as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where line_type = 'commit_purchase'

),

schedules as (

    select * from {{ ref('commit_invoice_schedules') }}

),

final as (

    select
        billed.line_id,
        billed.invoice_id,
        billed.line_name,
        billed.currency,
        billed.amount_minor,
        schedules.amount_minor as amount_minor_now
    from billed
    left join schedules
        on billed.line_key = schedules.line_key
    where
        schedules.line_key is null
        or schedules.currency <> billed.currency
        or (
            schedules.declared_as = 'commit'
            and schedules.amount_minor <> billed.amount_minor
        )

)

select * from final
