{#
  The smallest pieces that are priced. A slice's quantity is the difference of its two
  ends, so slices add up to their line however it is cut.
#}
with

converted_slices as (

    select * from {{ ref('converted_slices') }}

),

billed as (

    select
        *,
        {% for end in ('before', 'after', 'total') -%}
        case
            when is_converted then {{ units_to_quantity('rounded_' ~ end) }}
            else metered_{{ end }}
        end as billed_{{ end }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from converted_slices

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
        pricing_unit_id,
        event_id,
        event_price,
        event_amount,
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
