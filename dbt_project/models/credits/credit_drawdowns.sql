{# What each grant pays of each charge, the quantity that it pays for, and what that
   would cost at list prices. #}
with

capped_drawdowns as (

    select * from {{ ref('capped_drawdowns') }}

),

payable_quantities as (

    select * from {{ ref('payable_quantities') }}

),

kept as (

    select
        *,
        sum(kept_minor) over (
            partition by slice_id
            order by wallet_rank
            rows between unbounded preceding and current row
        ) as kept_so_far_minor
    from capped_drawdowns

),

final as (

    select
        {{ hash_id('drw', ['kept.tranche_id', 'kept.slice_id']) }} as drawdown_id,
        kept.tranche_id,
        kept.segment_id,
        kept.invoice_id,
        kept.line_id,
        kept.slice_id,
        kept.customer_id,
        kept.currency,
        kept.pricing_unit_id,
        kept.kept_minor as amount_minor,
        coalesce(
            kept.kept_quantity,
            {{ to_quantity(
                share_of_quantity(
                    'payable_quantities.quantity',
                    'kept.kept_so_far_minor', 'kept.charged_minor'
                ) ~ ' - ' ~ share_of_quantity(
                    'payable_quantities.quantity',
                    'kept.kept_so_far_minor - kept.kept_minor', 'kept.charged_minor'
                )
            ) }}
        ) as quantity,
        kept.slice_start,
        kept.kept_list_minor as list_amount_minor
    from kept
    left join payable_quantities
        on kept.slice_id = payable_quantities.slice_id

)

select * from final
