{#
  What each grant pays of each charge. A line that negative usage brings down is covered
  up to its total and no further: the latest draws are given back before anything is
  posted.
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
        uncapped_drawdowns.segment_id,
        uncapped_drawdowns.slice_id,
        charges.line_id,
        charges.invoice_id,
        charges.customer_id,
        charges.currency,
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
        ) as kept_minor,
        charges.slice_start
    from uncapped_drawdowns
    inner join charges
        on uncapped_drawdowns.slice_id = charges.slice_id
    inner join line_caps
        on charges.line_id = line_caps.line_id

),

final as (

    select
        {{ hash_id('drw', ['segment_id', 'slice_id']) }} as drawdown_id,
        segment_id,
        invoice_id,
        line_id,
        slice_id,
        customer_id,
        currency,
        cast(kept_minor as bigint) as amount_minor,
        slice_start
    from capped
    where kept_minor > 0

)

select * from final
