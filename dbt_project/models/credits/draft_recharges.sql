{#
  Balances at or below their threshold, and what the next close tops them up with. What a
  close has topped up is not topped up again at the same instant, though usage of the
  step that the new balance starts with may draw on it at once.
#}
with

balances as (

    select * from {{ ref('threshold_balances') }}
    where balance_minor <= threshold_minor

),

thresholds as (

    select * from {{ ref('stg_catalog__thresholds') }}

),

posted as (

    select * from {{ ref('stg_books__threshold_recharges') }}

),

{# Closes of one step are told apart by a number. #}
steps as (

    select
        balances.contract_id,
        {{ usage_step(as_of()) }} as starting_at,
        count(posted.grant_id) as recharge_count,
        max(posted.closed_at) as last_closed_at
    from balances
    left join posted
        on
            balances.contract_id = posted.contract_id
            and posted.starting_at = {{ usage_step(as_of()) }}
    group by 1, 2

),

recharges as (

    select
        balances.threshold_id || ':' || {{ day_and_time('steps.starting_at') }}
        || case
            when steps.recharge_count = 0 then ''
            else '-' || cast(steps.recharge_count + 1 as string)
        end as grant_id,
        'PREPAID_COMMIT' as grant_type,
        balances.*,
        balances.recharge_to_minor - balances.balance_minor as amount_minor,
        steps.starting_at
    from balances
    inner join steps
        on balances.contract_id = steps.contract_id
    where
        steps.last_closed_at is null
        or steps.last_closed_at < {{ as_of() }}

),

final as (

    select
        recharges.grant_id,
        {{ hash_id('seg', ['recharges.grant_type', 'recharges.grant_id', "'1'"]) }}
            as segment_id,
        recharges.grant_type,
        recharges.threshold_id,
        recharges.contract_id,
        recharges.customer_id,
        thresholds.grant_name,
        recharges.currency,
        recharges.minor_unit,
        recharges.balance_minor as balance_before_minor,
        cast(recharges.amount_minor as bigint) as amount_minor,
        {{ to_minor(
            multiply_amount('recharges.amount_minor', 'thresholds.payment_fraction'), 1
        ) }} as invoiced_minor,
        thresholds.priority,
        thresholds.applicable_product_ids,
        recharges.starting_at,
        recharges.ending_before
    from recharges
    inner join thresholds
        on recharges.threshold_id = thresholds.threshold_id

)

select * from final
