{{ config(materialized='view') }}

{# How much of what is asked for each prepaid commit stands on void invoices, void by
   void: what was void before it, and after. #}
with

voided_invoices as (

    select * from {{ ref('voided_invoices') }}

),

purchase_lines as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where line_type = 'commit_purchase'

),

schedules as (

    select * from {{ ref('commit_invoice_schedules') }}

),

asked as (

    select
        grant_id,
        cast(sum(amount_minor) as bigint) as asked_minor
    from schedules
    group by 1

),

voided as (

    select
        schedules.grant_id,
        voided_invoices.invoice_id,
        voided_invoices.instruction_id as source_id,
        voided_invoices.reason,
        voided_invoices.actor,
        voided_invoices.voided_at,
        cast(sum(schedules.amount_minor) as bigint) as voided_minor
    from voided_invoices
    inner join purchase_lines
        on voided_invoices.invoice_id = purchase_lines.invoice_id
    inner join schedules
        on purchase_lines.line_key = schedules.line_key
    group by 1, 2, 3, 4, 5, 6

),

running as (

    select
        voided.*,
        asked.asked_minor,
        cast(
            sum(voided.voided_minor) over (
                partition by voided.grant_id
                order by voided.voided_at, voided.source_id
                rows between unbounded preceding and current row
            ) as bigint
        ) as voided_after_minor
    from voided
    inner join asked
        on voided.grant_id = asked.grant_id

),

final as (

    select
        grant_id,
        invoice_id,
        source_id,
        reason,
        actor,
        voided_at,
        asked_minor,
        voided_after_minor - voided_minor as voided_before_minor,
        voided_after_minor
    from running

)

select * from final
