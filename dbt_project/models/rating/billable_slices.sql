{{ config(materialized=deep_view()) }}
{% set kept = 'slice_id, line_id, period_id, price_book, rate_id, override_id, '
    ~ 'event_id, event_price, event_amount' -%}
{#
  Free units come off before any is priced; what is left counts through the tiers. Mostly
  a line does both for itself, by the terms in force in each slice; products with scopes
  count the running sum of what each slice had left.
#}
with

slices as (

    select * from {{ ref('usage_slices') }}

),

scoped_slices as (

    select * from {{ ref('scoped_slices') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

alone as (

    select
        slices.*,
        {{ free_part('slices.quantity_before', 'rates.') }} as free_before,
        {{ free_part('slices.quantity_after', 'rates.') }} as free_after,
        {{ free_part('slices.line_quantity', 'rates.') }} as free_total
    from slices
    inner join rates
        on
            slices.price_book = rates.price_book
            and slices.rate_id = rates.rate_id
    where
        not exists (
            select 1
            from scoped_slices
            where scoped_slices.slice_id = slices.slice_id
        )

),

together as (

    select
        *,
        quantity - free_quantity as billable_quantity
    from scoped_slices

),

final as (

    select
        {{ kept }},
        {{ to_quantity('free_after - free_before') }} as free_quantity,
        {{ to_quantity('quantity_before - free_before') }} as billable_before,
        {{ to_quantity('quantity_after - free_after') }} as billable_after,
        {{ to_quantity('line_quantity - free_total') }} as billable_total,
        slice_number,
        false as is_free
    from alone
    union all
    select
        {{ kept }},
        {{ to_quantity('free_quantity') }} as free_quantity,
        {{ to_quantity(
            'case when counts_alone then quantity_before - '
            ~ free_part('quantity_before') ~ ' else ' ~ running_in_tiers('billable_quantity')
            ~ ' - billable_quantity end'
        ) }} as billable_before,
        {{ to_quantity(
            'case when counts_alone then quantity_after - '
            ~ free_part('quantity_after') ~ ' else ' ~ running_in_tiers('billable_quantity')
            ~ ' end'
        ) }} as billable_after,
        {{ to_quantity(
            'case when counts_alone then line_quantity - ' ~ free_part('line_quantity')
            ~ " when tier_scope = 'product'"
            ~ ' then sum(billable_quantity) over (partition by period_id, product_id)'
            ~ ' else sum(billable_quantity) over (partition by period_id, line_id) end'
        ) }} as billable_total,
        case
            when tier_scope = 'product'
                then cast(
                    row_number() over (
                        partition by period_id, product_id order by {{ slice_order() }}
                    ) as bigint
                )
            else slice_number
        end as slice_number,
        is_free
    from together

)

select * from final
