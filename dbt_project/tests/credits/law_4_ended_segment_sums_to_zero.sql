{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_ledger_entries'}},
        'description': 'Start, deductions and expiration of an ended segment add up to nothing.',
    },
) }}

{#
  Law 4, end. What remains on an ended segment is prepaid money that was neither used nor
  recognised as expired: finance would carry a liability to nobody.
#}
with

entries as (

    {{ law_ledger_entries() }}

),

grants as (

    select * from {{ ref('credit_grants') }}

),

totals as (

    select
        segment_id,
        sum(amount_minor) as balance_minor
    from entries
    group by 1

),

final as (

    select
        grants.segment_id,
        grants.grant_id,
        grants.customer_id,
        grants.currency,
        totals.balance_minor,
        grants.ending_before
    from grants
    left join totals
        on grants.segment_id = totals.segment_id
    where
        grants.ending_before <= {{ as_of() }}
        and coalesce(totals.balance_minor, -1) <> 0
        -- What rolls over in this run can be used, or end, from the next run on.
        and (grants.rolled_over_from is null or grants.posted_start_minor is not null)

)

select * from final
