{{ config(materialized='view') }}

{# Closed periods that late usage reached, as they were closed, to be rated again: at
   the old watermark and with all that is known now, on the prices of their close. #}
with

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

late_periods as (

    select distinct invoice_id from {{ ref('late_metered_usage') }}

),

closes as (

    select * from {{ ref('stg_books__closes') }}

),

bases as (

    select 'rerated_at_watermark' as rating_basis
    union all
    select 'rerated_now' as rating_basis

),

final as (

    select
        closed_invoices.invoice_id,
        closed_invoices.contract_id,
        closed_invoices.customer_id,
        closed_invoices.rate_card_id,
        closed_invoices.billing_profile_id,
        closed_invoices.late_usage_policy,
        closed_invoices.net_payment_terms_days,
        0 as grace_hours,
        closed_invoices.currency,
        closes.catalog_hash as price_book,
        bases.rating_basis,
        closed_invoices.period_start,
        closed_invoices.period_end
    from closed_invoices
    inner join closes
        on closed_invoices.close_id = closes.close_id
    inner join late_periods
        on closed_invoices.invoice_id = late_periods.invoice_id
    cross join bases

)

select * from final
