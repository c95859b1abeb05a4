{%- set depth = adjustment_depth() %}
{#
  What discounts and maximums take of each slice, reduction by reduction: each acts on the
  charge that the earlier ones left, added up over its scope in the order of time, and a
  slice's reduction is what it takes after the slice less what it took before. Of a slice
  that crosses the last unit of a discount, the units within bring their share.
#}
with

adjusted_slices as (

    select * from {{ ref('adjusted_slices') }}

),

slice_amounts as (

    select
        slice_id,
        {{ to_amount('sum(amount)') }} as amount
    from {{ ref('rated_tiers') }}
    where slice_id in (select adjusted_slices.slice_id from adjusted_slices)
    group by 1

),

charges_0 as (

    select
        {{ prefixed(charge_columns(), 'slices.') }},
        slice_amounts.amount
    from {{ ref('usage_slices') }} as slices
    inner join slice_amounts
        on slices.slice_id = slice_amounts.slice_id

),

{% for rank in range(1, depth + 1) -%}
offered_{{ rank }} as (

    select
        charges.*,
        {{ prefixed(adjustment_columns(), 'adjusted.') }}
    from charges_{{ rank - 1 }} as charges
    left join adjusted_slices as adjusted
        on
            charges.slice_id = adjusted.slice_id
            and adjusted.adjustment_rank = {{ rank }}

),

counted_{{ rank }} as (

    select
        *,
        {{ to_quantity(running_in('counted_in', 'quantity')) }} as units_after
    from offered_{{ rank }}

),

{{ within_units('counted_' ~ rank, rank) }}

reduced_{{ rank }} as (

    select
        *,
        {{ to_amount(running_in('counted_in, pricing_unit_id', 'amount_within')) }} as charged_after
    from within_{{ rank }}

),

charges_{{ rank }} as (

    select
        {{ prefixed(charge_columns()) }},
        {{ to_amount('amount - (' ~ reduction_of_slice() ~ ')') }} as amount
    from reduced_{{ rank }}

),

{% endfor -%}
final as (

    {% for rank in range(1, depth + 1) -%}
    select
        {{ prefixed(reduction_columns()) }},
        {{ to_amount('-(' ~ reduction_of_slice() ~ ')') }} as amount
    from reduced_{{ rank }}
    where
        adjustment_id is not null
        and {{ reduction_of_slice() }} <> 0
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% else -%}
    select
        {{ prefixed(reduction_columns()[:5]) }},
        cast(null as string) as charge,
        cast(null as string) as adjustment_id,
        amount
    from charges_0
    where 1 = 0
    {% endfor %}
)

select * from final
