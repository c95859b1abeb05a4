{#
  The very events behind a usage line and the share of each: what it adds to the metered
  value of the period, and to the line's billed quantity. Shares add up to the line's
  quantity, because both are differences of the same running value; events of another
  line of the same usage (its price was in another unit) move that value too. `meterhouse events LINE` runs
  it; it is no table, because it reads the events of one period again.

  Levels (TIME_WEIGHTED_SUM), SQL metrics and metrics that carry forward are not shares of
  single events of the period: they have no rows.
#}
{% macro invoice_line_events(line_id) -%}
    {%- set plan = metering_plan() -%}
    {%- set flat = event_properties() -%}
    {%- set attributed_events = ref('attributed_events') -%}
    with

    line as (

        select
            lines.line_id,
            lines.invoice_id,
            lines.product_id,
            lines.pricing_group_values,
            lines.presentation_group_values,
            invoices.customer_id,
            invoices.period_start,
            invoices.period_end,
            coalesce(closes.catalog_hash, 'current') as price_book,
            closes.watermark
        from {{ ref('invoice_lines') }} as lines
        inner join {{ ref('invoices') }} as invoices
            on lines.invoice_id = invoices.invoice_id
        left join {{ ref('stg_books__invoices') }} as closed_invoices
            on lines.invoice_id = closed_invoices.invoice_id
        left join {{ ref('stg_books__closes') }} as closes
            on closed_invoices.close_id = closes.close_id
        where
            lines.line_id = {{ text_literal(line_id) }}
            and lines.line_type = 'usage'

    ),

    slices as (

        select distinct
            rate_id,
            slice_start,
            slice_end
        from {{ ref('usage_slices') }}
        where line_id in (select line.line_id from line)
        union
        select distinct
            rate_id,
            slice_start,
            slice_end
        from {{ ref('stg_books__rated_slices') }}
        where line_id in (select line.line_id from line)

    ),

    metered_events as (

        {% for metric in plan if not metric.sql_model -%}
        {% set metric_loop = loop -%}
        {% for keys in metric.key_sets -%}
        select
            landing_sequence,
            landing_row,
            transaction_id,
            customer_id,
            event_type,
            event_at,
            {{ metered_keys(metric, keys, flat) }},
            '{{ metric.aggregation }}' as aggregation,
            {% if metric.aggregation == 'UNIQUE' -%}
            {{ to_quantity(0) }} as metered_value,
            {{ metric.value }} as distinct_value
            {%- else -%}
            {{ metric.value }} as metered_value,
            cast(null as string) as distinct_value
            {%- endif %}
        from {{ attributed_events }}
        where
            customer_id in (select line.customer_id from line)
            and event_at >= (select line.period_start from line)
            and event_at < (select line.period_end from line)
            and event_at < {{ as_of() }}
            and {{ metric.predicate }}
            and {{ metric.value }} is not null
        {% if not (metric_loop.last and loop.last) -%}
        union all
        {% endif -%}
        {% endfor -%}
        {% endfor %}

    ),

    events as (

        select
            metered_events.*,
            slices.rate_id,
            products.quantity_conversion is not null
            or products.quantity_rounding is not null
            or rates.quantity_factor <> 1 as is_converted,
            products.quantity_rounding,
            products.rounding_units,
            {{ wide_integer(
                wide_integer('products.conversion_numerator')
                ~ ' * rates.factor_numerator'
            ) }} as numerator,
            {{ wide_integer(
                wide_integer('products.conversion_denominator')
                ~ ' * rates.factor_denominator'
            ) }} as denominator
        from line
        inner join {{ ref('price_book_products') }} as products
            on
                line.price_book = products.price_book
                and line.product_id = products.product_id
        inner join metered_events
            on
                products.metric_id = metered_events.metric_id
                and products.key_set = metered_events.key_set
                and line.pricing_group_values = metered_events.pricing_group_values
                and line.presentation_group_values
                = metered_events.presentation_group_values
                and {{ is_in_window('metered_events.event_at', 'products') }}
        inner join {{ ref('stg_catalog__billable_metrics') }} as metrics
            on metered_events.metric_id = metrics.metric_id
        left join slices
            on
                metered_events.event_at >= slices.slice_start
                and (
                    metered_events.event_at < slices.slice_end
                    or metered_events.event_at = slices.slice_start
                )
        left join {{ ref('price_book_rates') }} as rates
            on
                line.price_book = rates.price_book
                and slices.rate_id = rates.rate_id
        left join {{ ref('late_events') }} as late_events
            on
                line.invoice_id = late_events.invoice_id
                and metered_events.landing_sequence = late_events.landing_sequence
                and metered_events.landing_row = late_events.landing_row
        where
            late_events.invoice_id is null
            and not metrics.is_carried_forward
            and metered_events.aggregation <> 'TIME_WEIGHTED_SUM'

    ),

    running as (

        select
            *,
            case aggregation
                when 'MAX' then max(metered_value) over in_time
                when 'MIN' then min(metered_value) over in_time
                when 'LATEST' then metered_value
                when 'AVG' then {{ average(
                    to_quantity('sum(metered_value) over in_time'), 'count(*) over in_time'
                ) }}
                when 'UNIQUE' then
                    {{ to_quantity('sum(is_first_seen) over in_time') }}
                else {{ to_quantity('sum(metered_value) over in_time') }}
            end as metered_total
        from (
            select
                *,
                case
                    when row_number() over (
                        partition by distinct_value
                        order by event_at, transaction_id, landing_sequence, landing_row
                    ) = 1 then 1
                    else 0
                end as is_first_seen
            from events
        ) as numbered
        window in_time as (
            order by event_at, transaction_id, landing_sequence, landing_row
            rows between unbounded preceding and current row
        )

    ),

    changes as (

        select
            *,
            {{ to_quantity('metered_total - coalesce(lag(metered_total) over (
                order by event_at, transaction_id, landing_sequence, landing_row
            ), 0)') }} as metered_share
        from running

    ),

    on_line as (

        select
            *,
            {{ to_quantity('sum(metered_share) over in_time') }} as metered_after,
            {{ to_quantity('sum(metered_share) over in_time - metered_share') }}
                as metered_before
        from changes
        where rate_id is not null
        window in_time as (
            order by event_at, transaction_id, landing_sequence, landing_row
            rows between unbounded preceding and current row
        )

    ),

    multiplied as (

        select
            *,
            {{ multiplied_ends() }}
        from on_line

    ),

    converted as (

        select
            *,
            {{ converted_ends() }}
        from multiplied

    ),

    rounded as (

        select
            *,
            {{ rounded_ends() }}
        from converted

    )

    select
        transaction_id,
        event_at,
        event_type,
        metric_id,
        rate_id,
        metered_share,
        case
            when is_converted
                then {{ to_quantity(
                    units_to_quantity('rounded_after') ~ ' - '
                    ~ units_to_quantity('rounded_before')
                ) }}
            else metered_share
        end as share
    from rounded
    order by event_at, transaction_id, landing_sequence, landing_row
{%- endmacro %}
