{#
  Metered quantities become billed ones: conversion, factor of the price, rounding. Both
  ends of a slice are converted by the terms in force in it, and the slice is their
  difference: only the running quantity of a line is ever rounded.
#}
with

metered_slices as (

    select * from {{ ref('metered_slices') }}

),

products as (

    select * from {{ ref('price_book_products') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

termed as (

    select
        metered_slices.*,
        products.quantity_conversion is not null
        or products.quantity_rounding is not null
        or rates.quantity_factor <> 1 as is_converted,
        products.quantity_rounding,
        products.rounding_units,
        cast(
            products.conversion_numerator * rates.factor_numerator as {{ big_integer() }}
        ) as numerator,
        cast(
            products.conversion_denominator
            * rates.factor_denominator as {{ big_integer() }}
        ) as denominator
    from metered_slices
    inner join products
        on
            metered_slices.price_book = products.price_book
            and metered_slices.product_id = products.product_id
            and metered_slices.product_starting_at = products.starting_at
    inner join rates
        on
            metered_slices.price_book = rates.price_book
            and metered_slices.rate_id = rates.rate_id

),

multiplied as (

    select
        *,
        {% for end in ('before', 'after', 'total') -%}
        case
            when is_converted
                then ({{ to_integer_units('metered_' ~ end) }}) * numerator
        end as multiplied_{{ end }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from termed

),

converted as (

    select
        *,
        {% for end in ('before', 'after', 'total') -%}
        {{ divide_rounded('multiplied_' ~ end, 'denominator', "'half_up'") }}
            as converted_{{ end }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from multiplied

),

rounded as (

    select
        *,
        {% for end in ('before', 'after', 'total') -%}
        case
            when quantity_rounding is null then converted_{{ end }}
            else {{ divide_rounded(
                'converted_' ~ end, 'rounding_units', 'quantity_rounding'
            ) }} * rounding_units
        end as rounded_{{ end }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from converted

),

billed as (

    select
        *,
        {% for end in ('before', 'after', 'total') -%}
        case
            when is_converted then {{ from_integer_units('rounded_' ~ end) }}
            else metered_{{ end }}
        end as billed_{{ end }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from rounded

),

final as (

    select
        slice_id,
        line_id,
        period_id,
        price_book,
        product_id,
        pricing_group_values,
        presentation_group_values,
        rate_id,
        override_id,
        metered_quantity,
        {{ to_quantity('billed_after - billed_before') }} as quantity,
        billed_before as quantity_before,
        billed_after as quantity_after,
        billed_total as line_quantity,
        slice_number,
        slice_start,
        slice_end
    from billed

)

select * from final
