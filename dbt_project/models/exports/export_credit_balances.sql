{# File credit_balances: one row a grant segment. #}
with

credit_balances as (

    select * from {{ ref('credit_balances') }}

),

final as (

    select
        segment_id,
        grant_id,
        grant_type,
        grant_name,
        customer_id,
        applicable_contract_ids,
        segment_status,
        currency,
        pricing_unit_id,
        amount_minor,
        drawn_minor,
        expired_minor,
        manual_minor,
        seat_adjustment_minor,
        canceled_minor,
        rolled_over_minor,
        trued_up_minor,
        balance_minor,
        balance,
        starting_at,
        ending_before
    from credit_balances

)

select * from final
