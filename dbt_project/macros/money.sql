{#
  The only place where money is multiplied, rounded or split. Widths are chosen so that
  every product fits 38 digits on both engines (docs/decisions.md, "Decimal widths").
#}

{% macro quantity_type() %}decimal(31, 12){% endmacro %}
{% macro unit_price_type() %}decimal(18, 12){% endmacro %}
{% macro amount_type() %}decimal(32, 12){% endmacro %}
{% macro minor_unit_type() %}decimal(13, 12){% endmacro %}

{% macro to_quantity(expression) -%}
    cast({{ expression }} as {{ quantity_type() }})
{%- endmacro %}

{% macro to_amount(expression) -%}
    cast({{ expression }} as {{ amount_type() }})
{%- endmacro %}

{# quantity x unit price, exact in the whole part, half away from zero at 12 places in the
   fractional part. Both arguments must already have their declared types. #}
{% macro multiply_price(quantity, unit_price) -%}
    cast(
        cast(
            cast({{ truncate_quantity(quantity) }} as decimal(19, 0)) * {{ unit_price }}
            as {{ amount_type() }}
        )
        + cast(
            round(
                cast(
                    {{ quantity }}
                    - cast({{ truncate_quantity(quantity) }} as {{ quantity_type() }})
                    as decimal(12, 12)
                ) * {{ unit_price }},
                12
            ) as {{ amount_type() }}
        )
        as {{ amount_type() }}
    )
{%- endmacro %}

{% macro truncate_quantity(quantity) -%}
    {{ return(adapter.dispatch('truncate_quantity', 'meterhouse')(quantity)) }}
{%- endmacro %}

{% macro default__truncate_quantity(quantity) -%}
    trunc({{ quantity }})
{%- endmacro %}

{% macro spark__truncate_quantity(quantity) -%}
    case
        when {{ quantity }} < 0 then ceil({{ quantity }}) else floor({{ quantity }})
    end
{%- endmacro %}

{# Whole packages of a quantity, in units of packages: begun ones count when rounding is
   'up', full ones alone when it is 'down'; none at or below zero. `size` is an integer.
   A quantity past 64 bits is an error or NULL, which the checks forbid. #}
{% macro whole_packages(quantity, size, rounding) -%}
    {%- set units = 'cast(' ~ truncate_quantity(quantity) ~ ' as bigint)' -%}
    {%- set full = integer_divide(units, 'cast(' ~ size ~ ' as bigint)') -%}
    cast(
        case
            when {{ quantity }} <= 0 then 0
            when {{ quantity }} >= 9000000000000000000 then null
            when
                {{ rounding }} = 'up'
                and {{ quantity }} > cast({{ full }} * {{ size }} as {{ quantity_type() }})
                then {{ full }} + 1
            else {{ full }}
        end as {{ quantity_type() }}
    )
{%- endmacro %}

{# Decimal text to quantity. NULL when the text is not a plain decimal number that the
   type holds exactly: a price must never meet a rounded or guessed quantity. #}
{% macro parse_quantity(text, digits=19) -%}
    case
        when {{ matches(text, '^-?[0-9]{1,' ~ digits ~ '}([.][0-9]{1,12}0*)?$') }}
            then cast({{ text }} as {{ quantity_type() }})
    end
{%- endmacro %}

{# Exact amount to integer minor units, half away from zero. factor = 10^exponent of the
   currency (stg_currencies.minor_unit_factor). #}
{% macro to_minor(amount, factor) -%}
    cast(
        round(
            cast({{ amount }} as {{ amount_type() }})
            * cast({{ factor }} as decimal(5, 0)),
            0
        ) as bigint
    )
{%- endmacro %}

{# Integer minor units to an amount in the currency's major unit, exact.
   unit = 10^-exponent (stg_currencies.minor_unit). #}
{% macro from_minor(amount_minor, unit) -%}
    cast(
        cast({{ amount_minor }} as decimal(19, 0))
        * cast({{ unit }} as {{ minor_unit_type() }}) as {{ amount_type() }}
    )
{%- endmacro %}

{# Whole minor units not above the exact amount; what is cut off is given back by
   largest remainder. #}
{% macro floor_minor(amount, factor) -%}
    cast(
        floor(
            cast({{ amount }} as {{ amount_type() }})
            * cast({{ factor }} as decimal(5, 0))
        ) as bigint
    )
{%- endmacro %}

{# A quantity as a whole number of its smallest unit, 10^-12; exact. #}
{% macro quantity_units(quantity) -%}
    {{ wide_integer(
        wide_integer(truncate_quantity(quantity)) ~ ' * 1000000000000 + '
        ~ wide_integer(
            'cast(' ~ quantity ~ ' - ' ~ to_quantity(truncate_quantity(quantity))
            ~ ' as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))'
        )
    ) }}
{%- endmacro %}

{# Its inverse: a whole number of smallest units as a quantity. #}
{% macro units_to_quantity(units) -%}
    cast(
        {{ to_quantity(wide_quotient(units, '1000000000000')) }}
        + {{ to_quantity(
            'cast(' ~ units ~ ' % 1000000000000 as decimal(24, 0))'
            ~ " * cast('0.000000000001' as decimal(12, 12))"
        ) }} as {{ quantity_type() }}
    )
{%- endmacro %}

{#
  Quotient of two integers; the divisor is positive. `rounding` is 'half_up' (half away
  from zero), 'up' (away from zero) or 'down' (towards it): what a negative usage takes
  back is what the same usage had brought.
#}
{% macro divide_rounded(dividend, divisor, rounding="'half_up'") -%}
    {%- set rest = 'abs(' ~ dividend ~ ' % ' ~ divisor ~ ')' -%}
    {{ wide_integer(
        wide_quotient(dividend, divisor)
        ~ ' + case when ' ~ rest ~ ' = 0 or ' ~ rounding ~ " = 'down' or ("
        ~ rounding ~ " = 'half_up' and 2 * " ~ rest ~ ' < ' ~ divisor ~ ')'
        ~ ' then 0 when ' ~ dividend ~ ' < 0 then -1 else 1 end'
    ) }}
{%- endmacro %}

{# As much of a quantity as `part` is of `whole`, both whole numbers below 10^18 and
   neither negative: half up at 12 places, exact before that. #}
{% macro share_of_quantity(quantity, part, whole) -%}
    {%- set units = quantity_units(quantity) -%}
    {%- set wide_part = wide_integer(part) -%}
    {%- set wide_whole = wide_integer(whole) -%}
    {{ units_to_quantity(wide_integer(
        wide_integer(wide_quotient(units, wide_whole) ~ ' * ' ~ wide_part)
        ~ ' + ' ~ divide_rounded(
            wide_integer('(' ~ units ~ ' % ' ~ wide_whole ~ ') * ' ~ wide_part), wide_whole
        )
    )) }}
{%- endmacro %}

{# What falls to the stretch from `before` to `after` of an amount that is spread evenly
   over `whole`, all in whole minor units below 10^18: stretches add up to the amount.
   A whole of 0 gets nothing. #}
{% macro share_between_minor(amount, before, after, whole) -%}
    case
        when {{ whole }} = 0 then cast(0 as bigint)
        else cast(
            {{ divide_rounded(
                wide_integer(wide_integer(amount) ~ ' * ' ~ wide_integer(after)),
                wide_integer(whole)
            ) }} - {{ divide_rounded(
                wide_integer(wide_integer(amount) ~ ' * ' ~ wide_integer(before)),
                wide_integer(whole)
            ) }} as bigint
        )
    end
{%- endmacro %}

{# What falls to a day of an amount of whole minor units over whole seconds: half up at
   12 places. The whole part stands by itself, for amounts near 64 bits. #}
{% macro amount_a_day(amount_minor, seconds) -%}
    {%- set product = wide_integer(wide_integer(amount_minor) ~ ' * 86400') -%}
    {{ to_amount(
        to_amount(wide_quotient(product, seconds)) ~ ' + ' ~ to_amount(units_to_quantity(
            divide_rounded(
                wide_integer('(' ~ product ~ ' % ' ~ seconds ~ ') * 1000000000000'),
                seconds
            )
        ))
    ) }}
{%- endmacro %}

{# A decimal(18, 6) as an exact fraction of integers, small where it is whole. #}
{% macro decimal_numerator(number) -%}
    cast(
        case
            when {{ number }} = {{ truncate_quantity(number) }} then {{ number }}
            else cast({{ number }} as decimal(18, 6)) * cast(1000000 as decimal(7, 0))
        end as bigint
    )
{%- endmacro %}
{% macro decimal_denominator(number) -%}
    case
        when {{ number }} = {{ truncate_quantity(number) }} then cast(1 as bigint)
        else cast(1000000 as bigint)
    end
{%- endmacro %}

{# Integer units (10^-12) in one unit of a decimal place, 0 to 12. #}
{% macro units_of_place(places) -%}
    case {{ places }}
        {% for place in range(13) -%}
        when {{ place }} then cast({{ 10 ** (12 - place) }} as bigint)
        {% endfor -%}
    end
{%- endmacro %}

{# An amount in a pricing unit as a whole number of its smallest parts, 10^-places: half
   away from zero. A wallet that can't hold it stops the run. #}
{% macro to_parts(amount, places, pricing_unit_id) -%}
    {%- set parts = divide_rounded(quantity_units(amount), units_of_place(places)) -%}
    cast(
        case
            when abs({{ parts }}) >= 9000000000000000000
                then {{ raise_error(
                    "'pricing unit ' || " ~ pricing_unit_id ~ " || ': '"
                    ~ " || cast(" ~ amount ~ " as string) || ' is more than 64 bits of its'"
                    ~ " || ' smallest parts can hold; give the unit fewer decimal_places"
                    ~ " in catalog/pricing_units.csv'"
                ) }}
            else {{ parts }}
        end as bigint
    )
{%- endmacro %}

{# An amount in a pricing unit rounded to its places, half away from zero. #}
{% macro round_to_places(amount, places) -%}
    {%- set unit = units_of_place(places) -%}
    case
        when {{ places }} = 12 then {{ to_quantity(amount) }}
        else {{ units_to_quantity(wide_integer(
            divide_rounded(quantity_units(amount), unit) ~ ' * ' ~ wide_integer(unit)
        )) }}
    end
{%- endmacro %}

{# The smallest part of a pricing unit: 10^-places. #}
{% macro unit_of_places(places) -%}
    case {{ places }}
        {% for place in range(13) -%}
        when {{ place }}
            then cast('{{ '%.12f' | format(10 ** -place) }}' as {{ minor_unit_type() }})
        {% endfor -%}
    end
{%- endmacro %}

{# What amounts of a row count as integers: minor units of money, or smallest parts of
   its pricing unit. `rows` has pricing_unit_id, `units` decimal_places. #}
{% macro to_smallest(amount, rows, currencies) -%}
    case
        when {{ rows }}.pricing_unit_id is null
            then {{ to_minor(amount, currencies ~ '.minor_unit_factor') }}
        else {{ to_parts(
            amount, rows ~ '.decimal_places', rows ~ '.pricing_unit_id'
        ) }}
    end
{%- endmacro %}
{% macro smallest_unit(rows, currencies, units) -%}
    case
        when {{ rows }}.pricing_unit_id is null
            then cast({{ currencies }}.minor_unit as {{ minor_unit_type() }})
        else {{ unit_of_places(units ~ '.decimal_places') }}
    end
{%- endmacro %}

{# unit price x multiplier, half away from zero at 12 places. #}
{% macro multiply_unit_price(unit_price, multiplier) -%}
    cast(
        round(
            cast({{ unit_price }} as {{ unit_price_type() }})
            * cast({{ multiplier }} as {{ unit_price_type() }}),
            12
        ) as {{ unit_price_type() }}
    )
{%- endmacro %}

{% macro multiply_amount(amount, multiplier) -%}
    {{ multiply_price(to_quantity(amount), 'cast(' ~ multiplier ~ ' as ' ~ unit_price_type() ~ ')') }}
{%- endmacro %}
