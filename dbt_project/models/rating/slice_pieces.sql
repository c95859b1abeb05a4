{#
  The pieces of slices that grants pay at prices of their own. The counter of tiers is
  the line's, whoever pays. What a piece costs at list is a share of the slice's minor
  units, so pieces add up to their slice.
#}
with

slices as (

    select * from {{ ref('commit_priced_slices') }}

),

spans as (

    select
        *,
        false as is_volume_like,
        false as holds_line_quantity
    from {{ ref('piece_spans') }}

),

shares as (

    select
        slice_id,
        tier_start,
        unit_price,
        {{ quantity_in_step('billable_before', 'tier_start', 'tier_end') }}
            as share_before,
        {{ quantity_in_step('billable_after', 'tier_start', 'tier_end') }}
            as share_after
    from spans

),

charged as (

    select
        slice_id,
        tier_start,
        unit_price,
        {{ to_quantity('share_after - share_before') }} as quantity,
        sum({{ to_amount(
            multiply_price('share_after', 'unit_price') ~ ' - '
            ~ multiply_price('share_before', 'unit_price')
        ) }}) over (
            partition by slice_id order by tier_start
            rows between unbounded preceding and current row
        ) as amount_after,
        lead(tier_start) over (partition by slice_id order by tier_start) is null
            as is_last
    from shares
    where share_after > share_before

),

rounded as (

    select
        charged.*,
        slices.line_id,
        slices.contract_id,
        slices.minor_unit_factor,
        slices.slice_start,
        case
            when charged.is_last then slices.amount_minor
            else
                {{ to_minor(
                    'slices.amount_before + charged.amount_after',
                    'slices.minor_unit_factor'
                ) }}
                - {{ to_minor('slices.amount_before', 'slices.minor_unit_factor') }}
        end as minor_after
    from charged
    inner join slices
        on charged.slice_id = slices.slice_id

),

final as (

    select
        {{ hash_id('pc', ['slice_id', decimal_text('tier_start')]) }} as piece_id,
        slice_id,
        line_id,
        contract_id,
        tier_start,
        quantity,
        unit_price,
        minor_unit_factor,
        minor_after - coalesce(
            lag(minor_after) over (partition by slice_id order by tier_start), 0
        ) as amount_minor,
        slice_start
    from rounded

)

select * from final
