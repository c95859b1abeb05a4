{{ config(materialized='view', tags=['reader']) }}

{# Lines that a commit may pay for whose access window meets their service period, used
   up or not: what no grant pays of them is overage, and of all others on demand. What a
   pricing unit comes to is overage where one of its lines is. #}
with

invoice_lines as (

    select * from {{ ref('invoice_lines') }}
    where line_type in ('usage', 'subscription', 'composite', 'cpu_conversion')

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
        invoice_lines.*,
        invoices.contract_id,
        products.tags as product_tags
    from invoice_lines
    inner join invoices
        on invoice_lines.invoice_id = invoices.invoice_id
    inner join products
        on
            invoice_lines.product_id = products.product_id
            and {{ is_last_version('invoice_lines.period_end', 'products') }}

),

committed as (

    select distinct
        lines.line_id,
        lines.invoice_id,
        lines.pricing_unit_id
    from lines
    inner join grant_contracts
        on lines.contract_id = grant_contracts.contract_id
    inner join commits
        on
            grant_contracts.grant_type = commits.grant_type
            and grant_contracts.grant_id = commits.grant_id
            and {{ is_same_unit('lines', 'commits') }}
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

),

final as (

    select line_id from committed
    union
    select invoice_lines.line_id
    from invoice_lines
    inner join committed
        on
            invoice_lines.invoice_id = committed.invoice_id
            and invoice_lines.pricing_unit_id = committed.pricing_unit_id
    where invoice_lines.line_type = 'cpu_conversion'

)

select * from final
