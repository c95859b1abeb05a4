{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'billing_periods'}},
        'description': 'Every closed period is still a period that its contract generates.',
    },
) }}

{#
  Closed time comes from the books: an edit of a contract's start, end or billing day that
  would move a closed boundary would leave days unbilled or bill them twice. Undo the
  edit, or end the contract and start another.
#}
with

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}
    where invoice_type = 'USAGE'

),

anchored as (

    select
        contracts.contract_id,
        contracts.catalog_row,
        contracts.starting_at,
        contracts.ending_before,
        case
            when contracts.billing_day = 'CONTRACT_START' then contracts.starting_at
            else cast(date_trunc('month', contracts.starting_at) as timestamp)
        end as anchor
    from contracts

),

generated as (

    select
        anchored.contract_id,
        greatest(
            {{ add_months('anchored.anchor', 'series.period_number') }},
            anchored.starting_at
        ) as period_start,
        least(
            {{ add_months('anchored.anchor', 'series.period_number + 1') }},
            coalesce(
                anchored.ending_before,
                {{ add_months('anchored.anchor', 'series.period_number + 1') }}
            )
        ) as period_end
    from anchored
    cross join range(0, 1200) as series (period_number)
    where
        {{ add_months('anchored.anchor', 'series.period_number') }} <= {{ as_of() }}

),

final as (

    select
        closed_invoices.invoice_id,
        closed_invoices.invoice_number,
        closed_invoices.contract_id,
        anchored.catalog_row,
        closed_invoices.period_start,
        closed_invoices.period_end
    from closed_invoices
    left join anchored
        on closed_invoices.contract_id = anchored.contract_id
    left join generated
        on
            closed_invoices.contract_id = generated.contract_id
            and closed_invoices.period_start = generated.period_start
            and closed_invoices.period_end = generated.period_end
    where generated.contract_id is null

)

select * from final
