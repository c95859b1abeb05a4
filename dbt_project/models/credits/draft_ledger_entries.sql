{#
  What the ledger would get beyond the books: starts, one deduction per segment and open
  invoice, expirations. `posts_at_close` says which of them the next close writes.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

drawdowns as (

    select * from {{ ref('credit_drawdowns') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

starts as (

    select
        grant_type || '_SEGMENT_START' as entry_type,
        grant_id,
        segment_id,
        customer_id,
        cast(null as string) as invoice_id,
        currency,
        amount_minor,
        true as posts_at_close,
        starting_at as effective_at
    from grants
    where starting_at <= {{ as_of() }}

),

invoice_draws as (

    select
        segment_id,
        invoice_id,
        cast(sum(amount_minor) as bigint) as drawn_minor
    from drawdowns
    group by 1, 2

),

deductions as (

    select
        grants.grant_type || '_AUTOMATED_INVOICE_DEDUCTION' as entry_type,
        grants.grant_id,
        grants.segment_id,
        grants.customer_id,
        invoice_draws.invoice_id,
        grants.currency,
        -invoice_draws.drawn_minor as amount_minor,
        periods.is_closable as posts_at_close,
        least(
            coalesce(grants.ending_before, periods.period_end), periods.period_end
        ) as effective_at
    from invoice_draws
    inner join grants
        on invoice_draws.segment_id = grants.segment_id
    inner join periods
        on invoice_draws.invoice_id = periods.invoice_id

),

{# Charges of a period that is still open may yet draw on the segment, so its expiration
   is pending until every overlapping period is closed. #}
open_overlaps as (

    select distinct grants.segment_id
    from grants
    inner join periods
        on
            grants.customer_id = periods.customer_id
            and grants.ending_before > periods.period_start
            and grants.starting_at < periods.period_end
    where not periods.is_closable

),

drawn as (

    select
        segment_id,
        cast(sum(drawn_minor) as bigint) as drawn_minor
    from invoice_draws
    group by 1

),

expirations as (

    select
        grants.grant_type || '_EXPIRATION' as entry_type,
        grants.grant_id,
        grants.segment_id,
        grants.customer_id,
        cast(null as string) as invoice_id,
        grants.currency,
        -(grants.opening_balance_minor - coalesce(drawn.drawn_minor, 0))
            as amount_minor,
        open_overlaps.segment_id is null as posts_at_close,
        grants.ending_before as effective_at
    from grants
    left join drawn
        on grants.segment_id = drawn.segment_id
    left join open_overlaps
        on grants.segment_id = open_overlaps.segment_id
    where
        grants.ending_before <= {{ as_of() }}
        and grants.opening_balance_minor - coalesce(drawn.drawn_minor, 0) > 0

),

entries as (

    select * from starts
    union all
    select * from deductions
    union all
    select * from expirations

),

identified as (

    select
        {{ hash_id('le', ['entry_type', 'segment_id', "coalesce(invoice_id, '')"]) }}
            as entry_id,
        entries.*
    from entries

),

final as (

    select
        identified.entry_id,
        identified.entry_type,
        identified.grant_id,
        identified.segment_id,
        identified.customer_id,
        identified.invoice_id,
        identified.currency,
        cast(identified.amount_minor as bigint) as amount_minor,
        identified.posts_at_close,
        identified.effective_at
    from identified
    left join posted_entries
        on identified.entry_id = posted_entries.entry_id
    where posted_entries.entry_id is null

)

select * from final
