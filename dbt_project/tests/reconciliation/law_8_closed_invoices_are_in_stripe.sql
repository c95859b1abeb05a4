{{ config(
    tags=['law_after_publish'],
    meta={
        'dagster': {'ref': {'name': 'invoice_reconciliation'}},
        'description': 'After publishing and loading back, every closed invoice that is to be sent is in Stripe, exactly once.',
    },
) }}

{#
  Law 8, after publishing. A closed invoice that never reached Stripe is revenue nobody
  collects. It cannot run before publishing: a new close is always missing there.
#}
with

requests as (

    select * from {{ ref('stripe_invoice_requests') }}
    where publish_action = 'send'

),

reconciliation as (

    select * from {{ ref('invoice_reconciliation') }}

),

final as (

    select
        requests.invoice_id,
        requests.invoice_number,
        reconciliation.journal_state,
        reconciliation.external_status,
        reconciliation.last_error
    from requests
    left join reconciliation
        on requests.invoice_id = reconciliation.invoice_id
    where
        not coalesce(reconciliation.has_stripe_invoice, false)
        or not coalesce(reconciliation.has_journal, false)

)

select * from final
