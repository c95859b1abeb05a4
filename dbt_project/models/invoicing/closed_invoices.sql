{{ config(materialized='view') }}

{# Closed invoices as they stand: a void one keeps all that it said. #}
with

invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

voided_invoices as (

    select * from {{ ref('voided_invoices') }}

),

final as (

    select
        invoices.*,
        case
            when voided_invoices.invoice_id is null then 'FINALIZED'
            else 'VOID'
        end as status
    from invoices
    left join voided_invoices
        on invoices.invoice_id = voided_invoices.invoice_id

)

select * from final -- noqa: AM04
