{{ config(materialized='view') }}

{#
  What each grant pays of each charge. A line that negative usage brings down is covered
  up to its total and no further: the latest draws are given back before anything is
  posted, unless its metric is covered without a look ahead.
#}
with

uncapped_drawdowns as (

    select * from {{ ref('uncapped_drawdowns') }}

),

charges as (

    select * from {{ ref('drawable_charges') }}

),

line_caps as (

    select
        line_id,
        greatest(cast(sum(amount_minor) as bigint), 0) as cap_minor
    from {{ ref('open_charges') }}
    group by 1

),

capped as (

    select
        uncapped_drawdowns.tranche_id,
        uncapped_drawdowns.segment_id,
        uncapped_drawdowns.slice_id,
        uncapped_drawdowns.wallet_rank,
        charges.line_id,
        charges.invoice_id,
        charges.customer_id,
        charges.currency,
        case
            when charges.is_without_look_ahead then uncapped_drawdowns.drawn_minor
            else cast(
                least(
                    uncapped_drawdowns.drawn_minor,
                    line_caps.cap_minor - (
                        sum(uncapped_drawdowns.drawn_minor) over (
                            partition by charges.line_id
                            order by
                                charges.slice_start,
                                charges.slice_id,
                                uncapped_drawdowns.wallet_rank
                            rows between unbounded preceding and current row
                        ) - uncapped_drawdowns.drawn_minor
                    )
                ) as bigint
            )
        end as kept_minor,
        charges.amount_minor as charged_minor,
        charges.slice_start
    from uncapped_drawdowns
    inner join charges
        on uncapped_drawdowns.slice_id = charges.slice_id
    inner join line_caps
        on charges.line_id = line_caps.line_id

),

final as (

    select * from capped
    where kept_minor > 0

)

select * from final
