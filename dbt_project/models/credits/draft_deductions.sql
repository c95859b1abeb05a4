{{ config(materialized='view') }}

{# What each grant pays of each open invoice. A deduction takes effect when the service
   period ends, or the segment, if that is earlier. #}
with

drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

invoice_draws as (

    select
        segment_id,
        invoice_id,
        cast(sum(amount_minor) as bigint) as drawn_minor
    from drawdowns
    group by 1, 2

),

final as (

    select
        invoice_draws.segment_id,
        invoice_draws.invoice_id,
        grants.grant_id,
        grants.grant_type,
        grants.customer_id,
        grants.currency,
        grants.pricing_unit_id,
        invoice_draws.drawn_minor,
        periods.is_closable,
        least(
            coalesce(grants.ending_before, periods.period_end), periods.period_end
        ) as effective_at
    from invoice_draws
    inner join grants
        on invoice_draws.segment_id = grants.segment_id
    inner join periods
        on invoice_draws.invoice_id = periods.invoice_id

)

select * from final
