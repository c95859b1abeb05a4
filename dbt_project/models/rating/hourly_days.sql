{{ config(materialized=deep_view()) }}

{# Days that are cut into hours: a grant that may be drawn on, an override of what
   grants pay, a discount or a limit starts or ends within them, or a reduction goes by the order of time. #}
with

grant_windows as (

    select * from {{ ref('grant_windows') }}

),

commit_overrides as (

    select * from {{ ref('commit_overrides') }}

),

windows as (

    select
        customer_id,
        starting_at,
        ending_before
    from grant_windows
    union all
    select
        customer_id,
        starting_at,
        ending_before
    from commit_overrides

),

adjustments as (

    select
        period_id,
        is_in_order_of_time,
        starting_at,
        ending_before
    from {{ ref('period_adjustments') }}
    union all
    select
        period_id,
        false as is_in_order_of_time,
        starting_at,
        ending_before
    from {{ ref('period_limits') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

{# Outside of the period is no usage that an hour could divide. #}
adjusted_days as (

    select
        period_usage.customer_id,
        cast(period_usage.usage_hour as date) as usage_date
    from {{ ref('period_usage') }} as period_usage
    inner join adjustments
        on period_usage.period_id = adjustments.period_id
    inner join periods
        on period_usage.period_id = periods.period_id
    where
        adjustments.is_in_order_of_time
        or (
            adjustments.starting_at > periods.period_start
            and {{ is_within_day(
                'adjustments.starting_at', 'period_usage.usage_hour'
            ) }}
        )
        or (
            adjustments.ending_before < periods.period_end
            and {{ is_within_day(
                'adjustments.ending_before', 'period_usage.usage_hour'
            ) }}
        )

),

final as (

    select distinct
        customer_id,
        cast(starting_at as date) as usage_date
    from windows
    where starting_at <> date_trunc('day', starting_at)
    union
    select distinct
        customer_id,
        cast(ending_before as date) as usage_date
    from windows
    where ending_before <> date_trunc('day', ending_before)
    union
    select distinct
        customer_id,
        usage_date
    from adjusted_days

)

select * from final
