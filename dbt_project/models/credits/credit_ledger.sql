{{ config(tags=['reader']) }}

{%- set posting_order -%}
partition by entries.segment_id
                order by
                    coalesce(entries.posted_at, cast('9999-12-31' as timestamp)),
                    entries.effective_at,
                    {{ entry_order(
                        'entries.entry_type', 'entries.amount_minor', 'entries.invoice_id'
                    ) }},
                    entries.entry_id
{%- endset %}

{# Every movement of every grant, with the balance after each in posting order. #}
with

entries as (

    select * from {{ ref('ledger_entries') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

final as (

    select
        entries.entry_id,
        entries.entry_type,
        entries.grant_id,
        entries.segment_id,
        entries.customer_id,
        entries.invoice_id,
        entries.entry_state,
        entries.currency,
        entries.pricing_unit_id,
        entries.amount_minor,
        {{ from_minor(
            'entries.amount_minor',
            smallest_unit('entries', 'currencies', 'pricing_units')
        ) }} as amount,
        cast(row_number() over ({{ posting_order }}) as bigint) as entry_number,
        cast(
            sum(entries.amount_minor) over (
                {{ posting_order }}
                rows between unbounded preceding and current row
            ) as bigint
        ) as running_balance_minor,
        entries.source_id,
        entries.reason,
        entries.actor,
        entries.effective_at,
        entries.posted_at
    from entries
    inner join currencies
        on entries.currency = currencies.currency
    left join pricing_units
        on entries.pricing_unit_id = pricing_units.pricing_unit_id

)

select * from final
