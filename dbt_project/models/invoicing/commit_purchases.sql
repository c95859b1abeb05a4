{{ config(materialized='view') }}

{#
  What prepaid commits are to be invoiced by now and no closed invoice has asked for yet,
  and what this run tops balances up with.
  Amounts of one contract and one day share an invoice; what is added to a day whose
  invoice is closed gets the next one.
#}
with

recharges as (

    select
        *,
        {{ purchase_subject('grant_id', 'starting_at') }} as subject_id
    from {{ ref('draft_recharges') }}

),

asked as (

    {% set purchase = [
        'grant_id', 'grant_name', 'customer_id', 'contract_id', 'subject_id',
        'currency', 'minor_unit',
    ] | join(', ') -%}
    select
        {{ purchase }},
        line_key,
        amount_minor,
        invoice_at
    from {{ ref('commit_invoice_schedules') }}
    union all
    select
        {{ purchase }},
        {{ purchase_line_key('subject_id') }} as line_key,
        invoiced_minor as amount_minor,
        starting_at as invoice_at
    from recharges

),

schedules as (

    select
        *,
        'commit_purchase' as line_type,
        cast(date_trunc('day', invoice_at) as timestamp) as invoice_day
    from asked
    where
        invoice_at <= {{ as_of() }}
        and amount_minor > 0

),

closed_lines as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where line_type = 'commit_purchase'

),

closed_invoices as (

    select
        contract_id,
        period_start as invoice_day,
        count(*) as invoice_count
    from {{ ref('stg_books__invoices') }}
    where invoice_type = 'SCHEDULED'
    group by 1, 2

),

final as (

    select
        {{ hash_id('inv', [
            'schedules.contract_id',
            'cast(' ~ epoch_micros('schedules.invoice_day') ~ ' as string)',
            "'SCHEDULED'",
            'cast(coalesce(closed_invoices.invoice_count, 0) + 1 as string)',
        ]) }} as invoice_id,
        {{ hash_id('il', ['schedules.line_key']) }} as line_id,
        schedules.line_type,
        schedules.contract_id,
        schedules.customer_id,
        schedules.grant_id,
        schedules.grant_name,
        schedules.subject_id,
        schedules.currency,
        {{ from_minor('schedules.amount_minor', 'schedules.minor_unit') }} as amount,
        schedules.amount_minor,
        schedules.invoice_day
    from schedules
    left join closed_lines
        on schedules.line_key = closed_lines.line_key
    left join closed_invoices
        on
            schedules.contract_id = closed_invoices.contract_id
            and schedules.invoice_day = closed_invoices.invoice_day
    where closed_lines.line_key is null

)

select * from final
