{#
  Begun tranches with something left whose window meets charges of open periods, ranked
  without gaps: rank n takes what ranks below n left over. Those of one level whose
  windows do not meet share a rank, so that a credit for each day is one rank, not 365;
  and so do seats, each of which pays other usage.
#}
with

grants as (

    select * from {{ ref('tranche_balances') }}
    where
        opening_balance_minor > 0
        -- What is charged at the end of its period may lie ahead.
        and starting_at <= {{ as_of() }}

),

charges as (

    select * from {{ ref('drawable_charges') }}

),

wallet_spans as (

    select
        {{ wallet() }},
        min(slice_start) as first_charge_at,
        max(slice_start) as last_charge_at
    from charges
    group by 1, 2, 3

),

reachable as (

    select
        grants.*,
        case
            when
                grants.starting_at < max({{ endless('grants.ending_before') }}) over (
                    partition by {{ wallet('grants.') }}, grants.burn_level
                    order by
                        grants.starting_at, grants.burn_rank, grants.tranche_number
                    rows between unbounded preceding and 1 preceding
                )
                then 0
            else 1
        end as begins_cluster
    from grants
    inner join wallet_spans
        on
            grants.family_id = wallet_spans.family_id
            and {{ is_same_unit('grants', 'wallet_spans') }}
            and grants.starting_at <= wallet_spans.last_charge_at
            and {{ endless('grants.ending_before') }} > wallet_spans.first_charge_at

),

{# Windows that meet, directly or through others, are one cluster. #}
clustered as (

    select
        *,
        sum(begins_cluster) over (
            partition by {{ wallet() }}, burn_level
            order by starting_at, burn_rank, tranche_number
            rows between unbounded preceding and current row
        ) as window_cluster
    from reachable

),

{{ placed_in_cluster('clustered') }}

final as (

    select
        tranche_id,
        segment_id,
        grant_id,
        grant_type,
        customer_id,
        {{ wallet() }},
        opening_balance_minor,
        cast(
            dense_rank() over (
                partition by {{ wallet() }}
                order by burn_level, run_number, seat_rank
            ) as bigint
        ) as wallet_rank,
        starting_at,
        ending_before
    from placed

)

select * from final
