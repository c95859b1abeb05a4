{{ config(materialized=deep_view()) }}

{# The pieces that are priced one after the other: each lies in one price window and in
   one period, and knows the metered quantity before and after it on its line. A line is
   in one unit: a price in another pricing unit makes another line. #}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

all_slices as (

    select * from {{ ref('cut_usage') }}
    union all
    select * from {{ ref('unused_products') }}

),

bounded as (

    select
        {{ hash_id('il', [
            'periods.invoice_id', "'usage'", 'all_slices.product_id',
            'all_slices.pricing_group_values',
            'all_slices.presentation_group_values'
            ~ " || coalesce('|' || rates.pricing_unit_id, '')",
        ]) }} as line_id,
        rates.pricing_unit_id,
        all_slices.*,
        greatest(
            all_slices.step_start, all_slices.price_starting_at, periods.period_start
        ) as slice_start,
        least(
            all_slices.step_end,
            coalesce(all_slices.price_ending_before, all_slices.step_end),
            periods.period_end
        ) as slice_end
    from all_slices
    inner join periods
        on all_slices.period_id = periods.period_id
    inner join rates
        on
            all_slices.price_book = rates.price_book
            and all_slices.rate_id = rates.rate_id

),

placed as (

    select
        {{ hash_id('sl', [
            'period_id', 'product_id', 'pricing_group_values',
            'presentation_group_values', 'rate_id', "coalesce(override_id, '')",
            'cast(' ~ epoch_micros('slice_start') ~ ' as string)', 'event_id',
        ]) }} as slice_id,
        *
    from bounded

),

final as (

    select
        slice_id,
        line_id,
        period_id,
        price_book,
        product_id,
        product_starting_at,
        pricing_group_values,
        presentation_group_values,
        rate_id,
        override_id,
        pricing_unit_id,
        event_id,
        event_price,
        event_amount,
        quantity as metered_quantity,
        {{ to_quantity(to_quantity(running('quantity')) ~ ' - quantity') }}
            as metered_before,
        {{ to_quantity(running('quantity')) }} as metered_after,
        {{ to_quantity(
            'sum(quantity) over (partition by period_id, line_id)'
        ) }} as metered_total,
        cast(
            row_number() over (
                partition by period_id, line_id order by slice_start, slice_id
            ) as bigint
        ) as slice_number,
        slice_start,
        slice_end
    from placed

)

select * from final
