{#
  Charges of open periods in the order in which the wallets of a family (a customer and
  its children) pay them: planned close, contract, usage before composites, earlier start,
  higher unit price, product name, time. A composite is charged at the last instant of its
  period.
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

charged_lines as (

    select * from {{ ref('charged_lines') }}

),

child_customers as (

    select * from {{ ref('child_customers') }}

),

final as (

    select
        charges.slice_id,
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
        charges.amount_minor,
        cast(
            row_number() over (
                partition by
                    coalesce(child_customers.parent_customer_id, charges.customer_id),
                    charges.currency
                order by
                    periods.closes_at asc,
                    charges.contract_id asc,
                    case when charges.line_type = 'usage' then 1 else 2 end asc,
                    charged_lines.line_start asc,
                    charged_lines.line_unit_price desc,
                    products.product_name asc,
                    charges.pricing_group_values asc,
                    charges.presentation_group_values asc,
                    charges.line_id asc,
                    charges.slice_start asc,
                    charges.slice_id asc
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
    where charges.amount_minor > 0

)

select * from final
