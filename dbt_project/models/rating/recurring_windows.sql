{{ config(materialized='view') }}

{#
  For each period of a recurring commit that has begun: when its grant may be drawn on,
  and for which part of the period it is paid. Nothing may be drawn on after the end of
  the recurring commit or its contract.
#}
with

periods as (

    select * from {{ ref('recurring_periods') }}

),

final as (

    select
        *,
        greatest(period_start, starting_at) as access_start,
        {{ earlier_end('ends_at', 'duration_end') }} as access_end,
        case
            when proration in ('FIRST', 'FIRST_AND_LAST')
                then greatest(period_start, starting_at)
            else period_start
        end as paid_from,
        case
            when proration in ('LAST', 'FIRST_AND_LAST')
                then {{ earlier_end('ends_at', 'period_end') }}
            else period_end
        end as paid_until
    from periods

)

select * from final -- noqa: AM04
