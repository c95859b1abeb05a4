{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_ledger_entries'}},
        'description': 'No segment and no wallet is below zero after any entry, in effective order.',
    },
) }}

{#
  Law 4, overdraft. A balance below zero means that a customer got usage for money that
  was never prepaid or granted.
#}
with

entries as (

    {{ law_ledger_entries() }}

),

balances as (

    select
        entry_id,
        entry_type,
        segment_id,
        customer_id,
        currency,
        pricing_unit_id,
        amount_minor,
        effective_at,
        sum(amount_minor) over (
            partition by segment_id
            order by
                effective_at,
                {{ entry_order('entry_type', 'amount_minor', 'invoice_id') }},
                entry_id
            rows between unbounded preceding and current row
        ) as segment_balance_minor,
        sum(amount_minor) over (
            partition by customer_id, currency, pricing_unit_id
            order by
                effective_at,
                {{ entry_order('entry_type', 'amount_minor', 'invoice_id') }},
                entry_id
            rows between unbounded preceding and current row
        ) as wallet_balance_minor
    from entries

),

final as (

    select * from balances
    where
        segment_balance_minor < 0
        or wallet_balance_minor < 0

)

select * from final
