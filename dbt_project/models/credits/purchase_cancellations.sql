{{ config(materialized=deep_view()) }}

{#
  What is withdrawn from the segments of a prepaid commit because a purchase invoice of it
  is void: of each segment the share that the voided amount has in all that is asked for
  the commit, and never more than the segment has left. Shares are differences of the
  rounded running share, so that all of them together are the segment.
#}
with

voided_purchases as (

    select * from {{ ref('voided_purchases') }}

),

grants as (

    select * from {{ ref('credit_grants') }}
    where grant_type = 'PREPAID_COMMIT'

),

balances as (

    select * from {{ ref('withdrawable_balances') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

shares as (

    select
        {{ hash_id('le', [
            "'PREPAID_COMMIT_CANCELED'", 'grants.segment_id', 'purchases.source_id',
        ]) }} as entry_id,
        grants.grant_id,
        grants.segment_id,
        grants.customer_id,
        purchases.invoice_id,
        grants.currency,
        grants.pricing_unit_id,
        {{ share_between_minor(
            'grants.amount_minor', 'purchases.voided_before_minor',
            'purchases.voided_after_minor', 'purchases.asked_minor'
        ) }} as share_minor,
        balances.left_minor,
        least(
            greatest(purchases.voided_at, grants.starting_at),
            {{ endless('grants.ending_before') }}
        ) as effective_at,
        purchases.voided_at,
        purchases.source_id,
        purchases.reason,
        purchases.actor
    from voided_purchases as purchases
    inner join grants
        on purchases.grant_id = coalesce(grants.rolled_over_from, grants.grant_id)
    inner join balances
        on grants.segment_id = balances.segment_id

),

unposted as (

    select
        shares.*,
        sum(shares.share_minor) over (
            partition by shares.segment_id
            order by shares.voided_at, shares.source_id
            rows between unbounded preceding and current row
        ) as running_minor
    from shares
    left join posted_entries
        on shares.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null

),

final as (

    select
        entry_id,
        'PREPAID_COMMIT_CANCELED' as entry_type,
        grant_id,
        segment_id,
        customer_id,
        invoice_id,
        currency,
        pricing_unit_id,
        cast(
            least(running_minor - share_minor, left_minor)
            - least(running_minor, left_minor) as bigint
        ) as amount_minor,
        effective_at,
        source_id,
        reason,
        actor
    from unposted
    where running_minor - share_minor < left_minor

)

select * from final
