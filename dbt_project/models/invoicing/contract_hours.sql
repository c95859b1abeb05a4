{{ config(materialized='view') }}

{# Hours of metered usage that lie in a period of any contract, open or closed. #}
with

metered_usage as (

    select * from {{ ref('metered_usage') }}

),

open_periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}
    where invoice_type = 'USAGE'

),

periods as (

    select
        customer_id,
        period_start,
        period_end
    from open_periods
    union all
    select
        customer_id,
        period_start,
        period_end
    from closed_invoices

),

final as (

    select distinct
        metered_usage.customer_id,
        metered_usage.usage_hour
    from metered_usage
    inner join periods
        on
            metered_usage.customer_id = periods.customer_id
            and metered_usage.usage_hour >= periods.period_start
            and metered_usage.usage_hour < periods.period_end

)

select * from final
