{{ config(materialized='view') }}

{#
  The seats that subscriptions are charged for in open periods: those that the period, or
  the subscription in it, begins with, then each number above the highest that it has had.
  Fewer seats count from the next period, and so does the end of the subscription.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}
    where product_id is not null

),

quantities as (

    select * from {{ ref('subscription_quantities') }}

),

held as (

    select
        periods.period_id,
        subscriptions.subscription_id,
        subscriptions.product_id,
        subscriptions.is_prorated,
        quantities.quantity,
        greatest(subscriptions.starting_at, periods.period_start) as priced_at,
        greatest(quantities.starting_at, periods.period_start) as held_from,
        periods.period_end,
        {{ statement_start('contracts', 'periods.period_start') }} as statement_start,
        {{ statement_start('contracts', 'periods.period_start', 1) }} as statement_end,
        coalesce(max(quantities.quantity) over (
            partition by periods.period_id, subscriptions.subscription_id
            order by quantities.starting_at
            rows between unbounded preceding and 1 preceding
        ), 0) as highest_before
    from periods
    inner join contracts
        on periods.contract_id = contracts.contract_id
    inner join subscriptions
        on periods.contract_id = subscriptions.contract_id
    inner join quantities
        on
            subscriptions.subscription_id = quantities.subscription_id
            and periods.period_end > quantities.starting_at
            and quantities.starting_at <= {{ as_of() }}
            and {{ endless('quantities.ending_before') }} > periods.period_start

),

final as (

    select
        period_id,
        subscription_id,
        product_id,
        is_prorated,
        {{ to_quantity('highest_before') }} as seats_before,
        {{ to_quantity('quantity') }} as seats_after,
        priced_at,
        held_from,
        {{ seconds_of('statement_start', 'statement_end') }} as full_seconds,
        {{ seconds_of('held_from', 'period_end') }} as charged_seconds
    from held
    where quantity > highest_before

)

select * from final
