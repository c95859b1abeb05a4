{{ config(materialized='view') }}

{# What operators gave to a grant or took from it by hand (`meterhouse ledger-entry`),
   also what takes effect only later. #}
with

instructions as (

    select * from {{ ref('stg_ops__instructions') }}
    where kind = 'manual_ledger_entry'

),

segments as (

    select * from {{ ref('grant_segments') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

final as (

    select
        instructions.instruction_id as source_id,
        segments.segment_id,
        segments.grant_id,
        segments.grant_type,
        segments.customer_id,
        segments.currency,
        segments.pricing_unit_id,
        segments.decimal_places,
        instructions.amount,
        {{ to_smallest('instructions.amount', 'segments', 'currencies') }}
            as amount_minor,
        instructions.reason,
        instructions.actor,
        instructions.effective_at,
        segments.ending_before
    from instructions
    inner join segments
        on instructions.target_id = segments.segment_id
    inner join currencies
        on segments.currency = currencies.currency

)

select * from final
