{#
  Charges of open periods in the order in which the wallets of a family (a customer and
  its children) pay them: planned close, contract, usage before subscriptions before
  composites, earlier start, higher unit price, product name, time. Subscriptions and
  composites are charged at the last instant of their period.
#}
with

charges as (

    select * from {{ ref('open_charges') }}

),

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

metrics as (

    select * from {{ ref('stg_catalog__billable_metrics') }}

),

{# Usage that some grant pays at a price of its own comes in pieces. #}
pieces as (

    select * from {{ ref('slice_pieces') }}

),

charged_lines as (

    select * from {{ ref('charged_lines') }}

),

child_customers as (

    select * from {{ ref('child_customers') }}

),

final as (

    select
        charges.slice_id,
        pieces.piece_id,
        charges.line_id,
        charges.line_type,
        charges.invoice_id,
        charges.contract_id,
        charges.customer_id,
        coalesce(child_customers.parent_customer_id, charges.customer_id) as family_id,
        charges.product_id,
        charges.pricing_group_values,
        charges.presentation_group_values,
        charges.currency,
        charges.pricing_unit_id,
        pieces.quantity as piece_quantity,
        coalesce(pieces.amount_minor, charges.amount_minor) as amount_minor,
        cast(
            row_number() over (
                partition by
                    coalesce(child_customers.parent_customer_id, charges.customer_id),
                    charges.currency,
                    charges.pricing_unit_id
                order by {{ charge_order() }}
            ) as bigint
        ) as charge_rank,
        charges.slice_start,
        charges.slice_end,
        products.tags as product_tags,
        coalesce(metrics.is_without_look_ahead, false) as is_without_look_ahead
    from charges
    inner join periods
        on charges.invoice_id = periods.invoice_id
    inner join products
        on
            charges.product_id = products.product_id
            and {{ is_last_version('periods.period_end', 'products') }}
    left join metrics
        on products.metric_id = metrics.metric_id
    inner join charged_lines
        on charges.line_id = charged_lines.line_id
    left join child_customers
        on charges.customer_id = child_customers.customer_id
    left join pieces
        on charges.slice_id = pieces.slice_id
    where
        pieces.piece_id is not null
        or charges.amount_minor > 0

)

select * from final
