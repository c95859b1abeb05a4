{{ config(materialized='view') }}

{#
  What comes back to a segment that is settled leaves it at once: what was left of it has
  expired, rolled over or been invoiced, or there was nothing left and no open period
  that could draw on it. A segment that ended, but is not settled, ends as any other.
#}
with

reversals as (

    select * from {{ ref('void_reversals') }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

posted as (

    select * from {{ ref('posted_balances') }}

),

grant_contracts as (

    select * from {{ ref('grant_contracts') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

open_segments as (

    select distinct reversals.segment_id
    from reversals
    inner join grants
        on reversals.segment_id = grants.segment_id
    inner join grant_contracts
        on
            grants.grant_type = grant_contracts.grant_type
            and grants.grant_id = grant_contracts.grant_id
    inner join periods
        on
            grant_contracts.contract_id = periods.contract_id
            and grants.ending_before > periods.period_start
            and grants.starting_at < periods.period_end

),

settled as (

    select
        reversals.*,
        grants.grant_type || '_EXPIRATION' as expiration_type,
        grants.ending_before
    from reversals
    inner join grants
        on
            reversals.segment_id = grants.segment_id
            and grants.ending_before <= {{ as_of() }}
    inner join posted
        on reversals.segment_id = posted.segment_id
    left join open_segments
        on reversals.segment_id = open_segments.segment_id
    where
        posted.end_count > 0
        or (posted.posted_minor = 0 and open_segments.segment_id is null)

),

final as (

    select
        {{ hash_id('le', ['expiration_type', 'segment_id', 'source_id']) }} as entry_id,
        expiration_type as entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        -amount_minor as amount_minor,
        ending_before as effective_at,
        source_id,
        reason,
        actor
    from settled

)

select * from final
