{{ config(materialized='view') }}

{# What each line of the periods that have composites costs, by each basis that they are
   rated on. #}
with

windows as (

    select * from {{ ref('entitled_windows') }}
    where product_type = 'COMPOSITE'

),

periods as (

    select * from {{ ref('billing_periods') }}

),

rated_usage as (

    select * from {{ ref('rated_usage') }}

),

composing_invoices as (

    select distinct periods.invoice_id
    from windows
    inner join periods
        on windows.period_id = periods.period_id

),

final as (

    select
        rated_usage.invoice_id,
        rated_usage.rating_basis,
        rated_usage.product_id,
        rated_usage.line_id,
        {{ to_amount('sum(rated_usage.amount)') }} as amount
    from rated_usage
    inner join composing_invoices
        on rated_usage.invoice_id = composing_invoices.invoice_id
    group by 1, 2, 3, 4

)

select * from final
