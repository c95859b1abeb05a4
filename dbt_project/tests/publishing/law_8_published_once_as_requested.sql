{{ config(
    tags=['law', 'law_after_publish'],
    meta={
        'dagster': {'ref': {'name': 'invoice_reconciliation'}},
        'description': 'An invoice stands in Stripe at most once, and what stands there equals its request.',
    },
) }}

{#
  Law 8. Twice in Stripe is paid twice; another subtotal, currency or number of lines than
  requested is a customer charged something that we did not compute. Invoices that were
  voided in Stripe do not count. What is missing in Stripe is for the law after publishing.
#}
with

requests as (

    select * from {{ ref('stripe_invoice_requests') }}

),

journal as (

    select * from {{ ref('stg_ops__publish_journal') }}

),

stripe_invoices as (

    select * from {{ ref('stripe_invoices') }}
    where
        invoice_id is not null
        and external_status <> 'VOID'

),

copies as (

    select
        invoice_id,
        count(*) as copies
    from stripe_invoices
    group by 1
    having count(*) > 1

),

differing as (

    select
        requests.invoice_id,
        case
            when lower(stripe_invoices.currency) <> requests.currency
                then 'currency differs'
            when stripe_invoices.subtotal_minor <> requests.stripe_subtotal
                then 'subtotal differs'
            when stripe_invoices.line_count <> requests.stripe_line_count
                then 'line count differs'
            when requests.publish_action = 'skip' then 'skipped, yet published'
        end as problem
    from journal
    inner join requests
        on journal.invoice_id = requests.invoice_id
    inner join stripe_invoices
        on journal.stripe_invoice_id = stripe_invoices.stripe_invoice_id
    where journal.state = 'published'

),

twice_in_journal as (

    select invoice_id
    from journal
    where state = 'published'
    group by 1
    having count(*) > 1

),

final as (

    select
        invoice_id,
        'stands in Stripe ' || cast(copies as string) || ' times' as problem
    from copies
    union all
    select
        invoice_id,
        problem
    from differing
    where problem is not null
    union all
    select
        invoice_id,
        'published to two accounts' as problem
    from twice_in_journal

)

select * from final
