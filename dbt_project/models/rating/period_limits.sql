{{ config(materialized='view') }}

{#
  Minimums and maximums in force in a period, within it, and the amount they have there:
  the whole one, or the exact share of seconds of the full statement period.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where not {{ is_at_list() }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

limits as (

    select * from {{ ref('price_book_limits') }}

),

in_force as (

    select
        periods.period_id,
        limits.limit_id,
        limits.limit_type,
        limits.limit_scope,
        limits.product_ids,
        limits.amount,
        limits.is_prorated,
        {{ statement_start('contracts', 'periods.period_start') }} as statement_start,
        {{ statement_start('contracts', 'periods.period_start', 1) }} as statement_end,
        greatest(limits.starting_at, periods.period_start) as starting_at,
        {{ earlier_end('limits.ending_before', 'periods.period_end') }}
            as ending_before
    from periods
    inner join limits
        on
            periods.price_book = limits.price_book
            and periods.contract_id = limits.contract_id
            and periods.period_end > limits.starting_at
            and (
                limits.ending_before is null
                or periods.period_start < limits.ending_before
            )
    left join contracts
        on periods.contract_id = contracts.contract_id

),

timed as (

    select
        *,
        {{ seconds_of('statement_start', 'statement_end') }} as full_seconds,
        {{ seconds_of('starting_at', 'ending_before') }} as seconds_in_force
    from in_force

),

final as (

    select
        period_id,
        limit_id,
        limit_type,
        limit_scope,
        product_ids,
        case
            when is_prorated
                then least(
                    {{ share_of_time('amount', 'seconds_in_force', 'full_seconds') }},
                    amount
                )
            else amount
        end as amount,
        starting_at,
        ending_before
    from timed

)

select * from final
