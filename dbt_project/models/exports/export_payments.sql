{# File payments: one row a payment or failed attempt. #}
with

payments as (

    select * from {{ ref('payments') }}

),

final as (

    select
        payment_id,
        account,
        invoice_id,
        stripe_invoice_id,
        payment_status,
        error_code,
        decline_code,
        currency,
        amount_requested_minor,
        amount_paid_minor,
        created_at,
        paid_at
    from payments

)

select * from final
