{{ config(tags=['reader']) }}

{#
  What was paid ahead for each movement that lowers a prepaid commit or credit. A segment
  uses its cost up evenly with its own amount; what was given to it by hand costs nothing.
  A drawdown that a void gives back is negative.
#}
with

ledger as (

    select * from {{ ref('credit_ledger') }}
    where
        entry_type not like 'POSTPAID%'
        and not {{ is_start('entry_type') }}

),

movements as (

    select * from {{ ref('own_movements') }}

),

segment_costs as (

    select * from {{ ref('segment_costs') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

costed as (

    select
        ledger.*,
        currencies.minor_unit,
        {{ smallest_unit('ledger', 'currencies', 'pricing_units') }} as used_unit,
        -ledger.amount_minor as used_minor,
        {{ share_between_minor(
            'segment_costs.cost_minor', 'movements.own_before_minor',
            'movements.own_after_minor', 'movements.granted_minor'
        ) }} as paid_minor
    from ledger
    inner join movements
        on ledger.entry_id = movements.entry_id
    inner join segment_costs
        on ledger.segment_id = segment_costs.segment_id
    inner join currencies
        on ledger.currency = currencies.currency
    left join pricing_units
        on ledger.pricing_unit_id = pricing_units.pricing_unit_id
    where
        ledger.amount_minor < 0
        or ledger.entry_type like '%CREDITED'

),

final as (

    select
        entry_id,
        case
            when entry_type like '%DEDUCTION' then 'drawdown'
            when entry_type like '%CREDITED' then 'drawdown'
            when entry_type like '%CANCELED' then 'cancellation'
            when entry_type like '%EXPIRATION' then 'breakage'
            when entry_type like '%ROLLOVER' then 'rollover'
            else 'adjustment'
        end as revenue_category,
        entry_type,
        entry_state,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        used_minor,
        paid_minor,
        case
            when pricing_unit_id is null then used_minor - paid_minor
        end as free_minor,
        {{ from_minor('used_minor', 'used_unit') }} as used,
        {{ from_minor('paid_minor', 'minor_unit') }} as paid,
        effective_at,
        posted_at
    from costed

)

select * from final
