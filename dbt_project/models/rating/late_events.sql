{{ config(materialized='view') }}

{#
  Events of a closed period that landed after the period's watermark, or whose sender was
  attributed to the customer only after the close.
#}
with

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}
    where invoice_type = 'USAGE'

),

closes as (

    select * from {{ ref('stg_books__closes') }}

),

frozen_customer_refs as (

    select distinct
        catalog_hash,
        customer_ref,
        customer_id
    from {{ ref('stg_books__frozen_customer_refs') }}

),

events as (

    select * from {{ ref('attributed_events') }}
    where
        customer_id is not null
        and event_at < {{ as_of() }}
        and {{ late_days('event_date') }}

),

final as (

    select
        events.*,
        closed_invoices.invoice_id
    from events
    inner join closed_invoices
        on
            events.customer_id = closed_invoices.customer_id
            and events.event_at >= closed_invoices.period_start
            and events.event_at < closed_invoices.period_end
    inner join closes
        on closed_invoices.close_id = closes.close_id
    left join frozen_customer_refs
        on
            closes.catalog_hash = frozen_customer_refs.catalog_hash
            and events.customer_ref = frozen_customer_refs.customer_ref
            and events.customer_id = frozen_customer_refs.customer_id
    where
        events.landing_sequence > closes.watermark
        or frozen_customer_refs.customer_ref is null

)

-- The flat property columns differ from lake to lake.
select * from final -- noqa: AM04
