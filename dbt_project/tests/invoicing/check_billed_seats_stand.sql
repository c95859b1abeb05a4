{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_lines'}},
        'description': 'A subscription had in closed periods the seats that were billed.',
    },
) }}

{#
  What is closed is not billed again: seats that come into closed time afterwards would be
  given away, and those that leave it stay paid for. Undo the edit, and date the change
  from now on.
#}
with

invoices as (

    select * from {{ ref('stg_books__invoices') }}
    where invoice_type = 'USAGE'

),

billed_lines as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where line_type = 'subscription'

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

quantities as (

    select * from {{ ref('subscription_quantities') }}

),

held as (

    select
        invoices.invoice_id,
        subscriptions.subscription_id,
        coalesce(max(quantities.quantity), 0) as seats
    from invoices
    inner join subscriptions
        on invoices.contract_id = subscriptions.contract_id
    left join quantities
        on
            subscriptions.subscription_id = quantities.subscription_id
            and invoices.period_end > quantities.starting_at
            and {{ endless('quantities.ending_before') }} > invoices.period_start
    group by 1, 2

),

final as (

    select
        held.invoice_id,
        held.subscription_id,
        billed_lines.line_id,
        cast(billed_lines.quantity as bigint) as billed_seats,
        held.seats
    from held
    inner join billed_lines
        on {{ subscription_line_id('held', 'held') }} = billed_lines.line_id
    where billed_lines.quantity <> held.seats

)

select * from final
