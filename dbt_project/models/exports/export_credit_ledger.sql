{# File credit_ledger: one row a ledger entry. #}
with

credit_ledger as (

    select * from {{ ref('credit_ledger') }}

),

final as (

    select
        entry_id,
        entry_type,
        entry_state,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        amount_minor,
        amount,
        running_balance_minor,
        effective_at,
        posted_at,
        reason,
        actor
    from credit_ledger

)

select * from final
