{{ config(materialized='view', tags=['reader']) }}

{# Lines that a commit may pay for whose access window meets their service period, used
   up or not: what no grant pays of them is overage, and of all others on demand. #}
with

invoice_lines as (

    select * from {{ ref('invoice_lines') }}
    where line_type in ('usage', 'composite')

),

invoices as (

    select * from {{ ref('invoices') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

commits as (

    select * from {{ ref('credit_grants') }}
    where grant_type <> 'CREDIT'

),

grant_contracts as (

    select * from {{ ref('grant_contracts') }}

),

scopes as (

    select * from {{ ref('grant_scopes') }}

),

lines as (

    select
        invoice_lines.line_id,
        invoice_lines.product_id,
        invoice_lines.pricing_group_values,
        invoice_lines.presentation_group_values,
        invoice_lines.period_start,
        invoice_lines.period_end,
        invoices.contract_id,
        invoices.currency,
        products.tags as product_tags
    from invoice_lines
    inner join invoices
        on invoice_lines.invoice_id = invoices.invoice_id
    inner join products
        on
            invoice_lines.product_id = products.product_id
            and {{ is_last_version('invoice_lines.period_end', 'products') }}

),

final as (

    select distinct lines.line_id
    from lines
    inner join grant_contracts
        on lines.contract_id = grant_contracts.contract_id
    inner join commits
        on
            grant_contracts.grant_type = commits.grant_type
            and grant_contracts.grant_id = commits.grant_id
            and lines.currency = commits.currency
            and greatest(
                lines.period_start,
                commits.starting_at,
                coalesce(grant_contracts.starting_at, commits.starting_at)
            ) < least(
                lines.period_end,
                {{ endless('commits.ending_before') }},
                {{ endless('grant_contracts.ending_before') }}
            )
    inner join scopes
        on
            commits.grant_type = scopes.grant_type
            and commits.grant_id = scopes.grant_id
            and {{ is_in_scope('lines', 'scopes') }}

)

select * from final
