{# What the ledger would get beyond the books: movements of what was granted, and the
   start of each balance that is topped up. #}
with

movements as (

    select * from {{ ref('draft_movements') }}

),

recharges as (

    select
        *,
        {{ start_entry_type('grant_type') }} as entry_type
    from {{ ref('draft_recharges') }}

),

final as (

    select * from movements
    union all
    select
        {{ hash_id('le', ['entry_type', 'segment_id', "''"]) }} as entry_id,
        entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        cast(null as string) as pricing_unit_id,
        amount_minor,
        true as posts_at_close,
        starting_at as effective_at,
        cast(null as string) as source_id,
        cast(null as string) as reason,
        cast(null as string) as actor
    from recharges

)

select * from final -- noqa: AM04
