{# What a price says besides its tiers: columns of rates, of overwrites and of the books. #}
{% macro rate_terms() -%}
    {{ return([
        ['price_model', 'string'],
        ['package_size', 'integer'],
        ['package_rounding', 'string'],
        ['quantity_factor', 'decimal(18, 6)'],
        ['free_units', quantity_type()],
        ['free_units_scope', 'string'],
        ['free_units_reset', 'string'],
        ['tier_scope', 'string'],
        ['event_fee', amount_type()],
        ['free_events', 'integer'],
        ['event_minimum', amount_type()],
        ['event_maximum', amount_type()],
        ['price_property', 'string'],
        ['amount_property', 'string'],
        ['pricing_unit_id', 'string'],
    ]) }}
{%- endmacro %}

{# The terms as they stand in a relation, with what a blank cell means. #}
{% macro select_rate_terms(relation) -%}
    {%- set blank = {
        'quantity_factor': 'cast(1 as decimal(18, 6))',
        'free_units': to_quantity(0),
        'free_units_scope': "'line'",
        'free_units_reset': "'period'",
        'tier_scope': "'line'",
    } -%}
    {%- for column, type in rate_terms() %}
    {%- set given = optional_column(relation, column, type) %}
    {%- if column == 'package_rounding' %}
    case
        when {{ optional_column(relation, 'package_size', 'integer') }} is not null
            then coalesce({{ given }}, 'up')
    end as package_rounding
    {%- elif column in blank %}
    coalesce({{ given }}, {{ blank[column] }}) as {{ column }}
    {%- else %}
    {{ given }}{% if given != column %} as {{ column }}{% endif %}
    {%- endif %}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{# Names of the terms, as columns of `alias`. #}
{% macro rate_term_names(alias='') -%}
    {%- for column, type in rate_terms() %}
    {{ alias }}{{ column }}{% if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{# A column of the `rates` contract that a model of the workspace may leave out. #}
{% macro optional_column(relation, column, type) -%}
    {%- set found = [column] -%}
    {%- if execute and relation.schema != 'catalog' -%}
        {%- set found = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- endif -%}
    {%- if column in found %}{{ column }}{% else %}cast(null as {{ type }}){% endif -%}
{%- endmacro %}

{# Share of a running quantity that a price step charges: what lies in (step start, step
   end], lower bound exclusive, upper inclusive, the first step also what is below zero;
   for volume-like models all of it, in the step that holds the line's final quantity. #}
{% macro quantity_in_step(quantity, step_start, step_end) -%}
    cast(
        case
            when is_volume_like
                then case when holds_line_quantity then {{ quantity }} else 0 end
            when tier_start = 0
                then least({{ quantity }}, coalesce({{ step_end }}, {{ quantity }}))
            else greatest(
                least({{ quantity }}, coalesce({{ step_end }}, {{ quantity }}))
                - {{ step_start }},
                0
            )
        end as {{ quantity_type() }}
    )
{%- endmacro %}

{# Is the running quantity above the start of the step and not above its end? The first
   step also holds zero and what is below. #}
{% macro is_in_tier(quantity) -%}
    (
        (tier_start = 0 or {{ quantity }} > tier_start)
        and (tier_end is null or {{ quantity }} <= tier_end)
    )
{%- endmacro %}

{# Does the flat amount of the step count at this running quantity? graduated: in every
   step entered; volume: in the step of the line's final quantity, from the first slice
   on; stairstep: in the step that holds the quantity alone. #}
{% macro is_step_reached(quantity) -%}
    (
        case price_model
            when 'volume' then holds_line_quantity
            when 'stairstep' then {{ is_in_tier(quantity) }}
            else tier_start = 0 or {{ quantity }} > tier_start
        end
    )
{%- endmacro %}

{# Days that can hold events of a closed period that its close did not know. The landing
   manifest tells them without reading an event; where a closed customer has a sender that
   its close did not have, they are all days. #}
{% macro late_days(day) -%}
    {%- set closed = "(select invoices.customer_id, invoices.period_end, closes.watermark, "
        ~ "closes.catalog_hash from " ~ ref('stg_books__invoices') ~ " as invoices "
        ~ "inner join " ~ ref('stg_books__closes') ~ " as closes "
        ~ "on invoices.close_id = closes.close_id "
        ~ "where invoices.invoice_type = 'USAGE')" -%}
    {%- set senders = fetch_rows(
        "select refs.customer_ref from " ~ closed ~ " as closed inner join "
        ~ ref('stg_catalog__customer_refs') ~ " as refs "
        ~ "on closed.customer_id = refs.customer_id left join "
        ~ ref('stg_books__frozen_customer_refs') ~ " as frozen "
        ~ "on closed.catalog_hash = frozen.catalog_hash "
        ~ "and refs.customer_ref = frozen.customer_ref "
        ~ "and refs.customer_id = frozen.customer_id "
        ~ "where frozen.customer_ref is null limit 1"
    ) -%}
    {%- set days = fetch_rows(
        "select cast(min(files.min_event_date) as string) as first_day, "
        ~ "cast(max(cast(closed.period_end as date)) as string) as last_day from "
        ~ "(select watermark, max(period_end) as period_end from " ~ closed
        ~ " as periods group by 1) as closed inner join "
        ~ ref('stg_ops__landing_files') ~ " as files "
        ~ "on files.landing_sequence > closed.watermark "
        ~ "and files.min_event_date < closed.period_end"
    ) -%}
    {%- if senders -%}
        true
    {%- elif days and days[0].first_day -%}
        {{ day }} >= date '{{ days[0].first_day }}'
        and {{ day }} <= date '{{ days[0].last_day }}'
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{# Running total over a line's slices in time. #}
{% macro running(expression, alias='') -%}
    sum({{ expression }}) over (
        partition by {{ alias }}period_id, {{ alias }}line_id
        order by {{ alias }}slice_start, {{ alias }}slice_id
        rows between unbounded preceding and current row
    )
{%- endmacro %}

{# The same in another scope of the period than the line. #}
{% macro running_in(scope, expression) -%}
    sum({{ expression }}) over (
        partition by period_id, {{ scope }}
        order by {{ slice_order() }}
        rows between unbounded preceding and current row
    )
{%- endmacro %}

{# Of slices that start together the group values decide, then the id. #}
{% macro slice_order() -%}
    slice_start, pricing_group_values, presentation_group_values, slice_id
{%- endmacro %}

{# The same in the scope of the price's tiers. #}
{% macro running_in_tiers(expression) -%}
    case
        when tier_scope = 'product' then {{ running_in('product_id', expression) }}
        else {{ running_in('line_id', expression) }}
    end
{%- endmacro %}

{# Does a price count free units and tiers for each line and period by itself? #}
{% macro counts_alone(alias='') -%}
    (
        {{ alias }}free_units_scope = 'line'
        and {{ alias }}free_units_reset = 'period'
        and {{ alias }}tier_scope = 'line'
        and {{ alias }}free_events is null
    )
{%- endmacro %}

{# Is each event priced by itself? #}
{% macro is_per_event(alias='') -%}
    (
        {{ alias }}price_model = 'dynamic'
        or {{ alias }}event_fee is not null
        or {{ alias }}free_events is not null
        or {{ alias }}event_minimum is not null
        or {{ alias }}event_maximum is not null
    )
{%- endmacro %}

{# What of a running quantity the free units cover. #}
{% macro free_part(quantity, alias='') -%}
    greatest(least({{ quantity }}, {{ alias }}free_units), 0)
{%- endmacro %}

{# One price for every unit or package, without tiers? #}
{% macro has_one_price(alias='') -%}
    {{ alias }}price_model in ('flat', 'package', 'percentage', 'dynamic')
{%- endmacro %}

{# The last step has no end, whatever the catalog says. #}
{% macro step_end(step_start, end, owner) -%}
    case
        when {{ step_start }} < max({{ step_start }}) over (partition by {{ owner }})
            then {{ to_quantity(end) }}
    end
{%- endmacro %}

{# Earlier than any price: what has no start starts here. #}
{% macro beginning() -%}
    timestamp '1970-01-01 00:00:00'
{%- endmacro %}

{% macro is_in_window(instant, window) -%}
    {{ instant }} >= {{ window }}.starting_at
    and (
        {{ window }}.ending_before is null
        or {{ instant }} < {{ window }}.ending_before
    )
{%- endmacro %}

{# The version of a product that holds when the period ends, which names the line. #}
{% macro is_last_version(period_end, products) -%}
    {{ period_end }} > {{ products }}.starting_at
    and (
        {{ products }}.ending_before is null
        or {{ period_end }} <= {{ products }}.ending_before
    )
{%- endmacro %}

{# The earlier of two ends, where NULL is no end. #}
{% macro earlier_end(one, other) -%}
    case
        when {{ one }} is null then {{ other }}
        when {{ other }} is null then {{ one }}
        else least({{ one }}, {{ other }})
    end
{%- endmacro %}

{% macro rate_keys() -%}
    {{ return(['price_book', 'rate_card_id', 'product_id', 'pricing_group_values']) }}
{%- endmacro %}

{% macro override_keys() -%}
    {{ return([
        'price_book', 'contract_id', 'product_id', 'pricing_group_values',
        'presentation_group_values',
    ]) }}
{%- endmacro %}

{% macro prefixed(columns, prefix='') -%}
    {%- for column in columns -%}
        {{ prefix }}{{ column }}{% if not loop.last %}, {% endif %}
    {%- endfor -%}
{%- endmacro %}

{# Time from its beginning, cut wherever a candidate starts or ends: one row a key and
   window, without gaps. #}
{% macro windows_of(candidates, keys) -%}
    select
        {{ prefixed(keys) }},
        bound as starting_at,
        lead(bound) over (partition by {{ prefixed(keys) }} order by bound)
            as ending_before
    from (
        select
            {{ prefixed(keys) }},
            {{ beginning() }} as bound
        from {{ candidates }}
        union
        select
            {{ prefixed(keys) }},
            starting_at as bound
        from {{ candidates }}
        where starting_at is not null
        union
        select
            {{ prefixed(keys) }},
            ending_before as bound
        from {{ candidates }}
        where ending_before is not null
    ) as bounds
{%- endmacro %}

{# The price of a rate window and an override window: an overwrite's own, or the card's. #}
{% macro chosen_rate(rate_windows, override_windows, periods) -%}
    case
        when
            {{ override_windows }}.override_type = 'overwrite'
            and not {{ is_at_list(periods ~ '.') }}
            then {{ override_windows }}.override_id
        else {{ rate_windows }}.rate_id
    end as rate_id,
    case when not {{ is_at_list(periods ~ '.') }} then {{ override_windows }}.override_id end
        as override_id,
    coalesce({{ override_windows }}.is_entitled, {{ rate_windows }}.is_entitled)
        as is_entitled
{%- endmacro %}

{# The quantities at both ends of a slice and of its whole line, multiplied, divided and
   rounded as integer units: `multiplied_before`, `multiplied_after`, ... #}
{% macro multiplied_ends() -%}
    {%- for end in ('before', 'after', 'total') %}
    case
        when is_converted then ({{ quantity_units('metered_' ~ end) }}) * numerator
    end as multiplied_{{ end }}{% if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{% macro converted_ends() -%}
    {%- for end in ('before', 'after', 'total') %}
    {{ divide_rounded('multiplied_' ~ end, 'denominator', "'half_up'") }}
        as converted_{{ end }}{% if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{% macro rounded_ends() -%}
    {%- for end in ('before', 'after', 'total') %}
    case
        when quantity_rounding is null then converted_{{ end }}
        else {{ divide_rounded('converted_' ~ end, 'rounding_units', 'quantity_rounding') }}
            * rounding_units
    end as rounded_{{ end }}{% if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{# How many values a rate names, doubled, plus one where it is entitled: the highest of
   those that match decides, and is odd where the usage is billed. NULL without a rate. #}
{% macro specificity(rates) -%}
    case
        when {{ rates }}.priced_keys = '' then 0
        else {{ list_size(rates ~ '.priced_keys') }}
    end * 2 + case when {{ rates }}.is_entitled then 1 else 0 end
{%- endmacro %}

{# A free event pays nothing beside its steps, and neither does one whose whole value the
   free units cover. #}
{% macro is_paid_event() -%}
    not slices.is_free
    and (
        slices.free_quantity = 0
        or slices.billable_after <> slices.billable_before
    )
{%- endmacro %}

{# Rows of one kind of charge of an event, in the shape of step_charges. #}
{% macro event_charge(charge, amount) -%}
    select
        slice_id,
        line_id,
        period_id,
        rate_id,
        override_id,
        '{{ charge }}' as charge,
        {{ to_quantity(0) }} as tier_start,
        {{ to_quantity('null') }} as tier_end,
        cast(null as {{ unit_price_type() }}) as unit_price,
        {{ to_quantity(0) }} as quantity,
        {{ to_amount(amount) }} as amount
    from totalled
    where {{ amount }} <> 0
{%- endmacro %}

{# Does an override say what commits and credits pay, and nothing about list prices? #}
{% macro is_for_commits() -%}
    (coalesce(is_commit_specific, false) or coalesce(price_target, '') = 'COMMIT_RATE')
{%- endmacro %}

{# Is an override's alternative for what this grant pays for? One that names no grant is
   for all of them. #}
{% macro is_for_grant(overrides, grants) -%}
    (
        coalesce({{ overrides }}.commit_ids, {{ overrides }}.recurring_commit_ids)
            is null
        or (
            {{ grants }}.declared_as <> 'recurring_commit'
            and {{ overrides }}.commit_ids is not null
            and {{ list_allows(overrides ~ '.commit_ids', grants ~ '.declared_id') }}
        )
        or (
            {{ grants }}.declared_as = 'recurring_commit'
            and {{ overrides }}.recurring_commit_ids is not null
            and {{ list_allows(
                overrides ~ '.recurring_commit_ids', grants ~ '.declared_id'
            ) }}
        )
    )
{%- endmacro %}

{# Does a piece of quantity that begins here lie in this step? Pieces never cross one. #}
{% macro begins_in_step(piece_start, steps) -%}
    {{ piece_start }} >= {{ steps }}.tier_start
    and ({{ steps }}.tier_end is null or {{ piece_start }} < {{ steps }}.tier_end)
{%- endmacro %}
