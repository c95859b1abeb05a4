{#
  Lines of open periods: one usage line per product, group values and unit, subscriptions,
  composites, pricing units turned into money, what is missing to minimums, and one applied
  line (negative) per line and grant that paid for it. Beside them what commits cost.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

open_invoices as (

    select * from {{ ref('open_invoices') }}

),

purchases as (

    select * from {{ ref('commit_purchases') }}

),

contracts as (

    select * from {{ ref('stg_catalog__contracts') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

lines as (

    select * from {{ ref('draft_usage_lines') }}
    union all
    select * from {{ ref('draft_period_end_lines') }}
    union all
    select * from {{ ref('draft_applied_lines') }}
    union all
    select * from {{ ref('draft_scheduled_lines') }}

),

final as (

    select
        lines.line_id,
        {{ line_key('lines') }} as line_key,
        lines.invoice_id,
        cast(
            row_number() over (
                partition by lines.invoice_id
                order by {{ line_order() }}
            ) as bigint
        ) as line_number,
        lines.line_type,
        lines.product_id,
        {{ line_name() }} as line_name,
        lines.pricing_group_values,
        lines.presentation_group_values,
        lines.segment_id,
        lines.applied_to_line_id,
        lines.pricing_unit_id,
        lines.quantity,
        open_invoices.currency,
        lines.amount,
        lines.amount_minor,
        open_invoices.is_closable,
        open_invoices.period_start,
        open_invoices.period_end
    from lines
    inner join open_invoices
        on lines.invoice_id = open_invoices.invoice_id
    left join products
        on
            lines.product_id = products.product_id
            and {{ is_last_version('open_invoices.period_end', 'products') }}
    left join contracts
        on open_invoices.contract_id = contracts.contract_id
    left join subscriptions
        on lines.subject_id = subscriptions.subscription_id
    left join pricing_units
        on lines.pricing_unit_id = pricing_units.pricing_unit_id
    left join grants
        on lines.segment_id = grants.segment_id
    left join purchases
        on lines.line_id = purchases.line_id

)

select * from final
