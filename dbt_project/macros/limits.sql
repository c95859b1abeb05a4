{# Discounts, minimums and maximums. #}

{# Months since the year 0. #}
{% macro month_number(instant) -%}
    (extract(year from {{ instant }}) * 12 + extract(month from {{ instant }}))
{%- endmacro %}

{# Start of the statement period that holds an instant, or of the one so many months
   after it. Statements run from the first of the month, or from the contract's day: in
   a month before that day, the period of the month before is the one that runs. #}
{% macro statement_start(contracts, instant, months=0) -%}
    {%- set anchor -%}
    case
        when {{ contracts }}.billing_day = 'CONTRACT_START' then {{ contracts }}.starting_at
        else cast(date_trunc('month', {{ contracts }}.starting_at) as timestamp)
    end
    {%- endset -%}
    {%- set number -%}
    cast(
        {{ month_number(instant) }} - {{ month_number(contracts ~ '.starting_at') }}
        as bigint
    )
    {%- endset -%}
    case
        when {{ add_months(anchor, number) }} > {{ instant }}
            then {{ add_months(anchor, number ~ ' + ' ~ (months - 1)) }}
        else {{ add_months(anchor, number ~ ' + ' ~ months) }}
    end
{%- endmacro %}

{# How many reductions the most reduced period has, one after the other. #}
{% macro adjustment_depth() -%}
    {% set rows = fetch_rows(
        'select coalesce(max(adjustment_rank), 0) as depth from ' ~ ref('period_adjustments')
    ) %}
    {{ return(rows[0].depth | int if rows else 0) }}
{%- endmacro %}

{% macro charge_columns() -%}
    {{ return([
        'slice_id', 'line_id', 'period_id', 'rate_id', 'override_id',
        'pricing_group_values', 'presentation_group_values', 'slice_start', 'quantity',
        'pricing_unit_id',
    ]) }}
{%- endmacro %}

{% macro adjustment_columns() -%}
    {{ return([
        'adjustment_id', 'charge', 'percentage', 'adjustment_amount', 'maximum_units',
        'maximum_amount', 'counted_in',
    ]) }}
{%- endmacro %}

{% macro reduction_columns() -%}
    {{ return(charge_columns()[:5] + ['charge', 'adjustment_id']) }}
{%- endmacro %}

{# Units of a slice that lie within the first `maximum_units`; all without such a cap. #}
{% macro units_within() -%}
    case
        when maximum_units is null then quantity
        else {{ to_quantity(
            'least(units_after, maximum_units)'
            ~ ' - least(units_after - quantity, maximum_units)'
        ) }}
    end
{%- endmacro %}

{# Amount and units of a slice that crosses the cap, as integers: `amount_times_units` and
   `slice_units`. Whole quantities stay as they are, so that the product has room. #}
{% macro amount_times_units() -%}
    {%- set whole -%}
    quantity = {{ truncate_quantity('quantity') }}
    and maximum_units = {{ truncate_quantity('maximum_units') }}
    and units_after = {{ truncate_quantity('units_after') }}
    {%- endset -%}
    {%- set crosses -%}
    units_within <> 0 and units_within <> quantity
    {%- endset -%}
    case
        when not ({{ crosses }}) then null
        when {{ whole }} then {{ wide_integer('abs(quantity)') }}
        else abs({{ quantity_units('quantity') }})
    end as slice_units,
    case
        when not ({{ crosses }}) then null
        else ({{ quantity_units('amount') }}) * case
            when {{ whole }} then {{ wide_integer('abs(units_within)') }}
            else abs({{ quantity_units('units_within') }})
        end
    end as amount_times_units
{%- endmacro %}

{# What a slice brings to the running charge of a reduction. A charge without units
   counts while units are left. #}
{% macro amount_within() -%}
    case
        when maximum_units is null then amount
        when quantity = 0 and units_after < maximum_units then amount
        when units_within = 0 then {{ to_amount(0) }}
        when units_within = quantity then amount
        else {{ to_amount(units_to_quantity('shared_units')) }}
    end
{%- endmacro %}

{# CTEs from a slice beside its reduction to `within_...`, with `amount_within`: what of
   its charge lies within the first units that the reduction holds for. #}
{% macro within_units(slices, rank) -%}
measured_{{ rank }} as (

    select
        *,
        {{ units_within() }} as units_within
    from {{ slices }}

),

multiplied_{{ rank }} as (

    select
        *,
        {{ amount_times_units() }}
    from measured_{{ rank }}

),

divided_{{ rank }} as (

    select
        *,
        {{ divide_rounded('amount_times_units', 'slice_units', "'half_up'") }}
            as shared_units
    from multiplied_{{ rank }}

),

within_{{ rank }} as (

    select
        *,
        {{ amount_within() }} as amount_within
    from divided_{{ rank }}

),
{%- endmacro %}

{# What a reduction takes of a running charge of its scope. #}
{% macro reduction_of(charges) -%}
    case
        when charge = 'maximum' then greatest({{ charges }} - adjustment_amount, 0)
        when percentage is not null
            then {{ multiply_amount(
                'least(' ~ charges ~ ', coalesce(maximum_amount, ' ~ charges ~ '))',
                'percentage'
            ) }}
        when charge = 'discount' then greatest(least({{ charges }}, adjustment_amount), 0)
        else 0
    end
{%- endmacro %}

{# The difference at both ends of the slice: slices add up however a period is cut. #}
{% macro reduction_of_slice() -%}
    {{ reduction_of('charged_after') }}
    - {{ reduction_of(to_amount('charged_after - amount_within')) }}
{%- endmacro %}

{# Is a period rated without what came late after its close? #}
{% macro is_at_watermark(alias='') -%}
    {{ alias }}rating_basis in ('rerated_at_watermark', 'rerated_at_watermark_at_list')
{%- endmacro %}

{# Is a period rated at the card's prices, without overrides, discounts and maximums? No
   money by itself: composites at list prices are a share of it. #}
{% macro is_at_list(alias='') -%}
    {{ alias }}rating_basis in (
        'open_at_list', 'rerated_at_watermark_at_list', 'rerated_now_at_list'
    )
{%- endmacro %}

{# Does an instant lie within the day of an hour, and not at its beginning? #}
{% macro is_within_day(instant, hour) -%}
    (
        cast({{ instant }} as date) = cast({{ hour }} as date)
        and {{ instant }} <> date_trunc('day', {{ instant }})
    )
{%- endmacro %}

{# Scopes of minimums from narrow to wide, each with the next. #}
{% macro minimum_widths() -%}
    {{ return([('group', 'product'), ('product', 'contract'), ('contract', '')]) }}
{%- endmacro %}

{# Is a usage product one that a composite names, or has it all of its tags? #}
{% macro is_part_of(part, composite) -%}
    {{ part }}.product_type = 'USAGE'
    and (
        (
            {{ composite }}.composite_product_ids is not null
            and {{ list_allows(composite ~ '.composite_product_ids', part ~ '.product_id') }}
        )
        or (
            {{ composite }}.composite_tags is not null
            and {{ list_has_all(part ~ '.tags', composite ~ '.composite_tags') }}
        )
    )
{%- endmacro %}

{% macro composite_amount() -%}
    {%- set share = multiply_amount('composed_amount', 'composite_share') -%}
    least(
        greatest({{ share }}, coalesce(minimum_amount, {{ share }})),
        coalesce(maximum_amount, greatest({{ share }}, coalesce(minimum_amount, {{ share }})))
    )
{%- endmacro %}

{# What rating a closed period again says of a line. #}
{% macro rerated_columns() -%}
    {{ return([
        'rating_basis', 'invoice_id', 'line_id', 'product_id', 'pricing_group_values',
        'presentation_group_values', 'pricing_unit_id', 'amount_minor',
    ]) }}
{%- endmacro %}
