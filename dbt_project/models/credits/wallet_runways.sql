{{ config(materialized='view', tags=['reader']) }}

{#
  When what a wallet can spend now is gone, if a burn rate goes on and it spends first
  what ends first. With S left in all and S_k of what ends no later than segment k, that
  is min(now + S / rate, min over k (end_k + (S - S_k) / rate)): at end_k at most what
  ends later is left, whole. Both times what was burned (reaches) are whole numbers, so
  nothing is rounded before the last second.
#}
{%- set now = epoch_micros(as_of()) %}
{%- set wallet = 'customer_id, currency, pricing_unit_id' %}
with

segments as (

    select * from {{ ref('credit_balances') }}
    where
        segment_status = 'active'
        and balance_minor > 0
        and grant_type <> 'POSTPAID_COMMIT'

),

burn_rates as (

    select * from {{ ref('wallet_burn_rates') }}

),

ordered as (

    select
        {{ wallet }},
        ending_before,
        sum(balance_minor) over (partition by {{ wallet }}) as wallet_minor,
        sum(balance_minor) over (
            partition by {{ wallet }}
            order by {{ endless('ending_before') }}, segment_id
            rows between unbounded preceding and current row
        ) as ended_minor
    from segments

),

reaches as (

    select
        burn_rates.customer_id,
        burn_rates.currency,
        burn_rates.pricing_unit_id,
        burn_rates.window_days,
        burn_rates.burned_minor,
        case
            when count(ordered.ending_before) = count(*) then max(ordered.ending_before)
        end as last_end,
        max(
            {{ wide_integer('ordered.wallet_minor') }}
            * burn_rates.window_seconds * 1000000
        ) as dry_reach,
        min(
            {{ wide_integer('burn_rates.burned_minor') }}
            * ({{ epoch_micros('ordered.ending_before') }} - {{ now }})
            + {{ wide_integer('ordered.wallet_minor - ordered.ended_minor') }}
            * burn_rates.window_seconds * 1000000
        ) as expiry_reach
    from burn_rates
    inner join ordered
        on
            burn_rates.customer_id = ordered.customer_id
            and {{ is_same_unit('burn_rates', 'ordered') }}
    group by 1, 2, 3, 4, 5

),

lasting as (

    select
        *,
        case
            when burned_minor > 0
                then {{ wide_quotient(
                    'least(dry_reach, coalesce(expiry_reach, dry_reach))', 'burned_minor'
                ) }} + {{ now }}
        end as ends_at_micros
    from reaches

),

final as (

    select
        {{ wallet }},
        window_days,
        case
            when burned_minor = 0 then last_end
            -- The calendar ends with the year 9999.
            when ends_at_micros < 253402300800000000
                then {{ from_epoch_seconds(
                    integer_divide('cast(ends_at_micros as bigint)', 1000000)
                ) }}
        end as ends_at,
        burned_minor = 0 or coalesce(expiry_reach < dry_reach, false) as expires
    from lasting

)

select * from final
