{{ config(materialized=deep_view()) }}

{# Entries that voids bring and the books do not have yet, also what takes effect only
   later: what comes back, what of it expires at once, and what is withdrawn. #}
with

reversals as (

    select * from {{ ref('void_reversals') }}

),

expirations as (

    select * from {{ ref('void_expirations') }}

),

cancellations as (

    select * from {{ ref('purchase_cancellations') }}

),

entries as (

    select * from reversals
    union all
    select * from expirations
    union all
    select * from cancellations

),

final as (

    select
        entry_id,
        entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        amount_minor,
        true as posts_at_close,
        effective_at,
        source_id,
        reason,
        actor
    from entries

)

select * from final
