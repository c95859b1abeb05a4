{#
  One grant for each period of a recurring commit or credit that has begun. A period that
  the start or the end of the recurring commit cuts has the exact share of its seconds,
  where its proration says so. Nothing may be drawn on after the end of the recurring
  commit or its contract.
#}
with

periods as (

    select * from {{ ref('recurring_periods') }}

),

windowed as (

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

),

timed as (

    select
        *,
        {{ seconds_of('period_start', 'period_end') }} as full_seconds,
        {{ seconds_of('paid_from', 'paid_until') }} as paid_seconds
    from windowed

),

final as (

    select
        recurring_commit_id || ':' || {{ day_and_time('access_start') }} as grant_id,
        customer_id,
        contract_id,
        grant_name,
        grant_type,
        recurring_commit_id,
        currency,
        pricing_unit_id,
        applicable_product_ids,
        applicable_product_tags,
        child_access,
        child_contract_ids,
        {{ share_of_time('amount', 'paid_seconds', 'full_seconds') }} as amount,
        {{ share_of_time('invoice_amount', 'paid_seconds', 'full_seconds') }}
            as invoice_amount,
        do_not_invoice,
        priority,
        rate_type,
        access_start as starting_at,
        access_end as ending_before
    from timed

)

select * from final
