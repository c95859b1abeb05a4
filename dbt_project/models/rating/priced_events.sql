{{ config(materialized=deep_view()) }}

{# Events of prices that look at each event by itself, with the price of their hour. At
   the watermark of a close, what came late is not yet there. #}
with

metered_events as (

    select * from {{ ref('metered_events') }}

),

period_usage as (

    select * from {{ ref('period_usage') }}
    where
        is_entitled
        and rate_id is not null

),

rates as (

    select * from {{ ref('price_book_rates') }}
    where {{ is_per_event() }}

),

late_events as (

    select * from {{ ref('late_events') }}

),

priced_hours as (

    select
        period_usage.*,
        coalesce(rates.price_property, '') as price_property,
        coalesce(rates.amount_property, '') as amount_property
    from period_usage
    inner join rates
        on
            period_usage.price_book = rates.price_book
            and period_usage.rate_id = rates.rate_id

),

final as (

    select
        priced_hours.period_id,
        priced_hours.price_book,
        priced_hours.product_id,
        priced_hours.product_starting_at,
        priced_hours.pricing_group_values,
        priced_hours.presentation_group_values,
        priced_hours.rate_id,
        priced_hours.override_id,
        metered_events.event_at as step_start,
        metered_events.event_at as step_end,
        priced_hours.price_starting_at,
        priced_hours.price_ending_before,
        metered_events.quantity,
        metered_events.event_id,
        metered_events.event_price,
        metered_events.event_amount
    from priced_hours
    inner join metered_events
        on
            priced_hours.customer_id = metered_events.customer_id
            and priced_hours.metric_id = metered_events.metric_id
            and priced_hours.key_set = metered_events.key_set
            and priced_hours.pricing_group_values = metered_events.pricing_group_values
            and priced_hours.presentation_group_values
            = metered_events.presentation_group_values
            and priced_hours.usage_hour = metered_events.usage_hour
            and priced_hours.price_property = metered_events.price_property
            and priced_hours.amount_property = metered_events.amount_property
    left join late_events
        on
            {{ is_at_watermark('priced_hours.') }}
            and priced_hours.invoice_id = late_events.invoice_id
            and metered_events.landing_sequence = late_events.landing_sequence
            and metered_events.landing_row = late_events.landing_row
    where late_events.invoice_id is null

)

select * from final
