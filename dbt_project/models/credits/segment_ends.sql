{{ config(materialized='view') }}

{# How what is left on an ended segment leaves the ledger: to the renewal of its
   contract what rolls over; of the rest a promise is invoiced, unless its true-up is
   disabled, and all else is lost. #}
with

expired_balances as (

    select * from {{ ref('expired_balances') }}

),

rolled_over as (

    select * from {{ ref('rolled_over_balances') }}
    where rolled_minor > 0

),

trueups as (

    select * from {{ ref('commit_trueups') }}

),

final as (

    select
        case
            when trueups.segment_id is null
                then expired_balances.grant_type || '_EXPIRATION'
            else 'POSTPAID_COMMIT_TRUEUP'
        end as entry_type,
        expired_balances.grant_id,
        expired_balances.segment_id,
        expired_balances.customer_id,
        trueups.invoice_id,
        expired_balances.currency,
        expired_balances.pricing_unit_id,
        expired_balances.expired_minor
        - coalesce(rolled_over.rolled_minor, 0) as left_minor,
        coalesce(trueups.posts_at_close, expired_balances.posts_at_close)
            as posts_at_close,
        expired_balances.ending_before
    from expired_balances
    left join trueups
        on expired_balances.segment_id = trueups.segment_id
    left join rolled_over
        on expired_balances.segment_id = rolled_over.segment_id
    where expired_balances.expired_minor > coalesce(rolled_over.rolled_minor, 0)
    union all
    select
        grant_type || '_ROLLOVER' as entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        pricing_unit_id,
        rolled_minor as left_minor,
        posts_at_close,
        renewal_at as ending_before
    from rolled_over
    union all
    select
        {{ start_entry_type('grant_type') }} as entry_type,
        new_grant_id as grant_id,
        new_segment_id as segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        pricing_unit_id,
        -rolled_minor as left_minor,
        posts_at_close,
        renewal_at as ending_before
    from rolled_over

)

select * from final
