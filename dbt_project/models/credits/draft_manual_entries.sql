{{ config(materialized=deep_view()) }}

{# Entries beside starts, draws and ends that have taken effect: what operators decided
   on, by hand or by a void, and what more seats added. The next close posts them. #}
with

manual_entries as (

    select * from {{ ref('unposted_manual_entries') }}
    where effective_at <= {{ as_of() }}

),

void_entries as (

    select * from {{ ref('void_entries') }}
    where effective_at <= {{ as_of() }}

),

seat_adjustments as (

    select * from {{ ref('seat_adjustments') }}
    where not is_posted

),

entries as (

    select
        *,
        grant_type || '_MANUAL' as entry_type
    from manual_entries

),

final as (

    select
        {{ hash_id('le', ['entry_type', 'segment_id', 'source_id']) }} as entry_id,
        entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        pricing_unit_id,
        amount_minor,
        true as posts_at_close,
        effective_at,
        source_id,
        reason,
        actor
    from entries
    union all
    select * from void_entries
    union all
    select
        entry_id,
        entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        pricing_unit_id,
        amount_minor,
        true as posts_at_close,
        effective_at,
        source_id,
        cast(null as string) as reason,
        cast(null as string) as actor
    from seat_adjustments

)

select * from final -- noqa: AM04
