{{ config(materialized='view') }}

{#
  The periods of recurring commits that have begun: from the statements of the contract,
  or from the recurring commit's own start by its own frequency. Each is counted from the
  first one, so that the 31st comes back after February.
#}
with

recurring as (

    select * from {{ ref('stg_catalog__recurring_commits') }}

),

contracts as (

    select * from {{ ref('carded_contracts') }}

),

rate_cards as (

    select * from {{ ref('stg_catalog__rate_cards') }}

),

running as (

    select
        recurring.*,
        contracts.customer_id,
        rate_cards.currency,
        {{ earlier_end('recurring.ending_before', 'contracts.ending_before') }}
            as ends_at,
        case
            when recurring.recurrence_frequency = 'STATEMENT'
                then {{ statement_start('contracts', 'recurring.starting_at') }}
            else recurring.starting_at
        end as anchor
    from recurring
    inner join contracts
        on recurring.contract_id = contracts.contract_id
    inner join rate_cards
        on contracts.rate_card_id = rate_cards.rate_card_id

),

counted as (

    select
        *,
        {{ periods_begun('recurrence_frequency', 'anchor') }} as periods_begun
    from running

),

numbered as (

    select
        counted.*,
        {{ recurring_boundary('counted', 'series.period_number') }} as period_start,
        {{ recurring_boundary('counted', 'series.period_number + 1') }} as period_end,
        {{ recurring_boundary(
            'counted', 'series.period_number + counted.commit_duration_periods'
        ) }} as duration_end
    from counted
    -- 36,600 days: a daily grant older than a century is a typing error.
    inner join range(0, 36600) as series (period_number)
        on counted.periods_begun >= series.period_number

),

final as (

    select * from numbered
    where
        period_end > starting_at
        and period_start <= {{ as_of() }}
        and starting_at <= {{ as_of() }}
        and (ends_at is null or period_start < ends_at)

)

select * from final -- noqa: AM04
