{#
  What is behind usage lines and the share of each: what it adds to the metered value of
  the line, and to its billed quantity. Shares add up to the line's quantity, because both
  are differences of the same running value. `meterhouse events LINE` runs it for one
  line; without ids it is for all of them. It is no table, because it reads the events of
  whole periods again.

  `source` says what a row is:
  - an event: the change of the period's value; of a level the unit-hours of the level
    that it made, until the next event or the end. One row for each of the line's prices.
  - what a metric that carries forward carried in from before the period, in one row
  - an hour of an SQL metric: which events its model read is known to nobody
#}
{% macro invoice_line_events(line_ids=none) -%}
    {%- set in_time = 'event_at, transaction_id, landing_sequence, landing_row' -%}
    {%- set series = 'line_id, metric_id, key_set' -%}
    with

    lines as (

        select
            lines.line_id,
            lines.invoice_id,
            lines.product_id,
            lines.pricing_group_values,
            lines.presentation_group_values,
            invoices.customer_id,
            invoices.period_start,
            invoices.period_end,
            least(invoices.period_end, {{ usage_horizon() }}) as level_ends_at,
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
            lines.line_type = 'usage'
            {% if line_ids is not none -%}
            and lines.line_id in ({{ sql_literals(line_ids) }})
            {%- endif %}

    ),

    {# A closed line that late usage reached is rated again under the same id. #}
    slices as (

        select distinct
            line_id,
            rate_id,
            slice_start,
            slice_end
        from {{ ref('usage_slices') }}
        where
            line_id in (select lines.line_id from lines where lines.watermark is null)
            and period_id in (
                select periods.period_id
                from {{ ref('billing_periods') }} as periods
                where periods.rating_basis = 'open'
            )
        union
        select distinct
            line_id,
            rate_id,
            slice_start,
            slice_end
        from {{ ref('stg_books__rated_slices') }}
        where line_id in (select lines.line_id from lines)

    ),

    products as (

        select
            products.*,
            lines.line_id
        from {{ ref('price_book_products') }} as products
        inner join lines
            on
                products.price_book = lines.price_book
                and products.product_id = lines.product_id

    ),

    line_metrics as (

        select distinct
            lines.*,
            products.metric_id,
            products.key_set
        from lines
        inner join products
            on lines.line_id = products.line_id

    ),

    metered_events as (

        {{ events_of_every_metric() }}

    ),

    events as (

        select
            metered_events.*,
            lines.line_id,
            metered_events.event_at < lines.period_start as is_from_before,
            lines.period_start,
            lines.level_ends_at
        from line_metrics as lines
        inner join metered_events
            on
                lines.customer_id = metered_events.customer_id
                and lines.metric_id = metered_events.metric_id
                and lines.key_set = metered_events.key_set
                and lines.pricing_group_values = metered_events.pricing_group_values
                and lines.presentation_group_values
                = metered_events.presentation_group_values
                and metered_events.event_at < lines.period_end
                and (
                    metered_events.event_at >= lines.period_start
                    or metered_events.is_carried_forward
                )
        left join {{ ref('late_events') }} as late_events
            on
                lines.invoice_id = late_events.invoice_id
                and metered_events.landing_sequence = late_events.landing_sequence
                and metered_events.landing_row = late_events.landing_row
        where
            late_events.invoice_id is null
            and (
                lines.watermark is null
                or metered_events.landing_sequence <= lines.watermark
            )

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
            end as value_after,
            row_number() over (
                partition by {{ series }}, is_from_before
                order by
                    event_at desc,
                    transaction_id desc,
                    landing_sequence desc,
                    landing_row desc
            ) as number_from_end
        from (
            select
                *,
                case
                    when row_number() over (
                        partition by {{ series }}, distinct_value order by {{ in_time }}
                    ) = 1 then 1
                    else 0
                end as is_first_seen
            from events
        ) as numbered
        window in_time as (
            partition by {{ series }} order by {{ in_time }}
            rows between unbounded preceding and current row
        )

    ),

    {# All that was before the period is one row at its start. #}
    readings as (

        select
            line_id,
            metric_id,
            key_set,
            aggregation,
            case when is_from_before then '' else transaction_id end as transaction_id,
            case when is_from_before then '' else event_type end as event_type,
            case when is_from_before then period_start else event_at end as event_at,
            case when is_from_before then 0 else landing_sequence end
                as landing_sequence,
            case when is_from_before then 0 else landing_row end as landing_row,
            case
                when is_from_before then 'carried in from before the period'
                else 'event'
            end as source,
            {{ usage_step('event_at') }} as event_hour,
            value_after,
            level_ends_at
        from running
        where
            not is_from_before
            or number_from_end = 1

    ),

    changes as (

        select
            *,
            {{ to_quantity(
                'value_after - coalesce(lag(value_after) over in_time, 0)'
            ) }} as value_change,
            coalesce(lead(event_at) over in_time, level_ends_at) as next_at
        from readings
        window in_time as (partition by {{ series }} order by {{ in_time }})

    ),

    {{ level_pieces() }}

    pieces as (

        select
            line_id,
            metric_id,
            key_set,
            transaction_id,
            event_type,
            event_at,
            landing_sequence,
            landing_row,
            source,
            event_at as placed_at,
            value_change as metered_share
        from changes
        where aggregation <> 'TIME_WEIGHTED_SUM'
        union all
        select
            line_id,
            metric_id,
            key_set,
            transaction_id,
            event_type,
            event_at,
            landing_sequence,
            landing_row,
            source,
            level_hour as placed_at,
            {{ to_quantity(
                to_quantity('sum(unit_hours) over level_in_time') ~ ' - '
                ~ to_quantity('sum(unit_hours) over level_in_time - unit_hours')
            ) }} as metered_share
        from (
            select
                *,
                hour_value - coalesce(lag(hour_value) over (
                    partition by {{ series }}, level_hour order by {{ in_time }}
                ), 0) as unit_hours
            from level_hours
        ) as level_parts
        window level_in_time as (
            partition by {{ series }} order by level_hour, {{ in_time }}
            rows between unbounded preceding and current row
        )
        union all
        select
            lines.line_id,
            usage.metric_id,
            usage.key_set,
            '' as transaction_id,
            '' as event_type,
            usage.usage_hour as event_at,
            0 as landing_sequence,
            0 as landing_row,
            'an hour of the model ' || metrics.aggregation_key as source,
            case
                when metrics.granularity = 'service_period'
                    then {{ add_steps('lines.period_end', -1) }}
                else usage.usage_hour
            end as placed_at,
            usage.quantity as metered_share
        from line_metrics as lines
        inner join {{ ref('metered_usage') }} as usage
            on
                lines.customer_id = usage.customer_id
                and lines.metric_id = usage.metric_id
                and lines.key_set = usage.key_set
                and lines.pricing_group_values = usage.pricing_group_values
                and lines.presentation_group_values = usage.presentation_group_values
                and lines.period_start <= usage.usage_hour
                and lines.period_end > usage.usage_hour
        inner join {{ ref('stg_catalog__billable_metrics') }} as metrics
            on usage.metric_id = metrics.metric_id
        where
            metrics.aggregation = 'SQL'
            and usage.usage_hour < {{ as_of() }}

    ),

    placed as (

        select
            pieces.*,
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
            ) }} as denominator,
            {{ to_quantity(
                'sum(pieces.metered_share) over (partition by pieces.line_id order by '
                ~ 'pieces.placed_at, pieces.event_at, pieces.transaction_id, '
                ~ 'pieces.landing_sequence, pieces.landing_row '
                ~ 'rows between unbounded preceding and current row)'
            ) }} as metered_after
        from pieces
        inner join products
            on
                pieces.line_id = products.line_id
                and pieces.metric_id = products.metric_id
                and pieces.key_set = products.key_set
                and {{ is_in_window('pieces.placed_at', 'products') }}
        inner join slices
            on
                pieces.line_id = slices.line_id
                and pieces.placed_at >= slices.slice_start
                and (
                    pieces.placed_at < slices.slice_end
                    or pieces.placed_at = slices.slice_start
                )
        inner join {{ ref('price_book_rates') }} as rates
            on
                products.price_book = rates.price_book
                and slices.rate_id = rates.rate_id

    ),

    multiplied as (

        select
            *,
            {{ multiplied_ends() }}
        from (
            select
                *,
                {{ to_quantity('metered_after - metered_share') }} as metered_before,
                metered_after as metered_total
            from placed
        ) as ends

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

    ),

    shares as (

        select
            *,
            case
                when is_converted
                    then {{ to_quantity(
                        units_to_quantity('rounded_after') ~ ' - '
                        ~ units_to_quantity('rounded_before')
                    ) }}
                else metered_share
            end as share
        from rounded

    )

    select
        line_id,
        nullif(transaction_id, '') as transaction_id,
        event_at,
        nullif(event_type, '') as event_type,
        source,
        metric_id,
        rate_id,
        {{ to_quantity('sum(metered_share)') }} as metered_share,
        {{ to_quantity('sum(share)') }} as share
    from shares
    group by
        line_id, transaction_id, event_at, event_type, source, metric_id, rate_id,
        landing_sequence, landing_row
    order by
        line_id, event_at, shares.transaction_id, landing_sequence, landing_row,
        min(placed_at), rate_id
{%- endmacro %}

{# The events of the lines' customers that each metric counts, for each set of keys; of
   metrics that carry forward those of before the period, too. #}
{% macro events_of_every_metric() -%}
    {%- set flat = event_properties() -%}
    {%- set attributed_events = ref('attributed_events') -%}
    {% for metric in metering_plan() if not metric.sql_model -%}
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
        {{ 'true' if metric.is_carried_forward else 'false' }} as is_carried_forward,
        {% if metric.aggregation == 'UNIQUE' -%}
        {{ to_quantity(0) }} as metered_value,
        {{ metric.value }} as distinct_value
        {%- else -%}
        {{ metric.value }} as metered_value,
        cast(null as string) as distinct_value
        {%- endif %}
    from {{ attributed_events }}
    where
        customer_id in (select lines.customer_id from lines)
        {% if not metric.is_carried_forward -%}
        and event_at >= (select min(lines.period_start) from lines)
        {% endif -%}
        and event_at < (select max(lines.period_end) from lines)
        and event_at < {{ as_of() }}
        and {{ metric.predicate }}
        and {{ metric.value }} is not null
    {% if not (metric_loop.last and loop.last) -%}
    union all
    {% endif -%}
    {% endfor -%}
    {% else -%}
    select
        landing_sequence,
        landing_row,
        transaction_id,
        customer_id,
        event_type,
        event_at,
        cast(null as string) as metric_id,
        cast(null as string) as key_set,
        cast(null as string) as pricing_group_values,
        cast(null as string) as presentation_group_values,
        cast(null as string) as aggregation,
        false as is_carried_forward,
        {{ to_quantity('null') }} as metered_value,
        cast(null as string) as distinct_value
    from {{ attributed_events }}
    where 1 = 0
    {%- endfor %}
{%- endmacro %}

{# The level that each event made, hour by hour, and the running unit-hours of the hour.
   Rounded as metering does it: the level an hour began with counts whole, what its
   changes add is rounded. #}
{% macro level_pieces() -%}
    levels as (

        select
            *,
            {{ quantity_units('value_after') }} as level_units,
            {{ each_step(
                usage_step('event_at'),
                'least(' ~ usage_step('next_at') ~ ', '
                ~ add_steps('level_ends_at', -1) ~ ')'
            ) }} as level_hour
        from changes
        where
            aggregation = 'TIME_WEIGHTED_SUM'
            and event_at < level_ends_at

    ),

    level_times as (

        select
            *,
            level_units * (
                {{ epoch_micros('least(next_at, ' ~ add_steps('level_hour', 1) ~ ')') }}
                - {{ epoch_micros('greatest(event_at, level_hour)') }}
            ) as unit_micros,
            case when event_hour < level_hour then level_units else 0 end as begun_with,
            case when event_hour < level_hour then value_after else 0 end as begun_level
        from levels

    ),

    level_sums as (

        select
            *,
            {{ wide_integer(
                'sum(begun_with) over ('
                ~ 'partition by line_id, metric_id, key_set, level_hour)'
            ) }} as hour_begun_with,
            {{ to_quantity(
                'sum(begun_level) over ('
                ~ 'partition by line_id, metric_id, key_set, level_hour)'
            ) }} as hour_begun_level,
            {{ wide_integer(
                'sum(unit_micros) over (partition by line_id, metric_id, key_set, level_hour '
                ~ 'order by event_at, transaction_id, landing_sequence, landing_row '
                ~ 'rows between unbounded preceding and current row)'
            ) }} as hour_unit_micros
        from level_times

    ),

    level_changes as (

        select
            *,
            {{ wide_integer('hour_unit_micros - hour_begun_with * ' ~ grain_minutes() * 60000000) }}
                as changed_unit_micros
        from level_sums

    ),

    level_hours as (

        select
            *,
            {{ level_in_steps('hour_begun_level') }}
            + {{ units_to_quantity(
                divide_rounded('changed_unit_micros', '3600000000')
            ) }} as hour_value
        from level_changes

    ),
{%- endmacro %}
