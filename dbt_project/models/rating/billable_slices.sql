{#
  Free units come off before any is priced, in the order of time; what is left counts
  through the tiers. Both have a scope: the line, or all lines of the product together;
  free units may be given anew each day of the customer's time zone.
#}
with

slices as (

    select * from {{ ref('usage_slices') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

scoped as (

    select
        slices.*,
        rates.free_units,
        rates.free_units_scope = 'line'
        and rates.free_units_reset = 'period'
        and rates.tier_scope = 'line' as counts_alone,
        case rates.free_units_scope
            when 'product' then slices.product_id
            else slices.line_id
        end
        || case rates.free_units_reset
            when 'day'
                then '/' || cast(
                    {{ local_date(
                        'slices.slice_start', "coalesce(customers.time_zone, 'UTC')"
                    ) }} as string
                )
            else ''
        end as allowance,
        case rates.tier_scope
            when 'product' then slices.product_id
            else slices.line_id
        end as counter
    from slices
    inner join rates
        on
            slices.price_book = rates.price_book
            and slices.rate_id = rates.rate_id
    inner join periods
        on slices.period_id = periods.period_id
    left join customers
        on periods.customer_id = customers.customer_id

),

allowed as (

    select
        *,
        case
            when counts_alone then quantity_before
            else {{ running_in('allowance', 'quantity') }} - quantity
        end as allowance_before,
        case
            when counts_alone then quantity_after
            else {{ running_in('allowance', 'quantity') }}
        end as allowance_after
    from scoped

),

freed as (

    select
        *,
        {{ to_quantity(
            free_part('allowance_after') ~ ' - ' ~ free_part('allowance_before')
        ) }} as free_quantity,
        {{ to_quantity(
            'quantity - (' ~ free_part('allowance_after') ~ ' - '
            ~ free_part('allowance_before') ~ ')'
        ) }} as billable_quantity
    from allowed

),

final as (

    select
        slice_id,
        line_id,
        period_id,
        price_book,
        rate_id,
        override_id,
        free_quantity,
        {{ to_quantity(
            'case when counts_alone then quantity_before - '
            ~ free_part('quantity_before') ~ ' else '
            ~ running_in('counter', 'billable_quantity') ~ ' - billable_quantity end'
        ) }} as billable_before,
        {{ to_quantity(
            'case when counts_alone then quantity_after - '
            ~ free_part('quantity_after') ~ ' else '
            ~ running_in('counter', 'billable_quantity') ~ ' end'
        ) }} as billable_after,
        {{ to_quantity(
            'case when counts_alone then line_quantity - '
            ~ free_part('line_quantity')
            ~ ' else sum(billable_quantity) over (partition by period_id, counter) end'
        ) }} as billable_total,
        cast(
            row_number() over (
                partition by period_id, counter order by {{ slice_order() }}
            ) as bigint
        ) as slice_number
    from freed

)

select * from final
