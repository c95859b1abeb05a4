{{ config(materialized='view') }}

{#
  What takes from the charges of a period, one after the other: discounts in the order of
  their position, then maximums from the narrowest scope to the widest.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where not {{ is_at_list() }}

),

discounts as (

    select * from {{ ref('price_book_discounts') }}

),

maximums as (

    select * from {{ ref('period_limits') }}
    where limit_type = 'maximum'

),

adjustments as (

    select
        periods.period_id,
        discounts.discount_id as adjustment_id,
        'discount' as charge,
        'contract' as limit_scope,
        0 as scope_width,
        discounts.position,
        discounts.product_ids,
        discounts.product_tags,
        discounts.percentage,
        discounts.amount as adjustment_amount,
        discounts.maximum_units,
        discounts.maximum_amount,
        greatest(discounts.starting_at, periods.period_start) as starting_at,
        {{ earlier_end('discounts.ending_before', 'periods.period_end') }}
            as ending_before
    from periods
    inner join discounts
        on
            periods.price_book = discounts.price_book
            and periods.contract_id = discounts.contract_id
            and periods.period_end > discounts.starting_at
            and (
                discounts.ending_before is null
                or periods.period_start < discounts.ending_before
            )
    union all
    select
        period_id,
        limit_id as adjustment_id,
        'maximum' as charge,
        limit_scope,
        case limit_scope when 'group' then 1 when 'product' then 2 else 3 end
            as scope_width,
        0 as position,
        product_ids,
        cast(null as string) as product_tags,
        cast(null as decimal(18, 12)) as percentage,
        amount as adjustment_amount,
        cast(null as {{ quantity_type() }}) as maximum_units,
        cast(null as {{ amount_type() }}) as maximum_amount,
        starting_at,
        ending_before
    from maximums

),

final as (

    select
        *,
        percentage is null and limit_scope <> 'group'
        or maximum_units is not null
        or maximum_amount is not null as is_in_order_of_time,
        cast(
            row_number() over (
                partition by period_id
                order by scope_width, position, adjustment_id
            ) as bigint
        ) as adjustment_rank
    from adjustments

)

select * from final
