{{ config(materialized='view') }}

{# Hours of closed periods that late usage touched. #}
with

late_events as (

    select * from {{ ref('late_events') }}

),

final as (

    select distinct
        invoice_id,
        customer_id,
        usage_hour
    from late_events

)

select * from final
