{{ config(materialized='view') }}

{# What grants may pay of open periods, negative usage too: usage, slice by slice, and
   subscriptions and composites at the last second of their period. Usage in a pricing unit
   is there where some grant is in that unit. What is missing to minimums, and pricing
   units turned into money, are never paid from a wallet. #}
{%- set in_arrears = {
    'subscription': ('subscription_charges', 'unit_price'),
    'composite': ('composite_charges', 'composite_share'),
} %}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where
        rating_basis = 'open'
        and pricing_unit_id is null

),

unit_charges as (

    select * from {{ ref('unit_charges') }}

),

{% for charges, _ in in_arrears.values() -%}
{{ charges }} as (

    select * from {{ ref(charges) }}
    where rating_basis = 'open'

),

{% endfor -%}
periods as (

    select * from {{ ref('billing_periods') }}

),

final as (

    {% for charges in ['rated_usage', 'unit_charges'] -%}
    select
        slice_id,
        line_id,
        'usage' as line_type,
        invoice_id,
        contract_id,
        customer_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        currency,
        pricing_unit_id,
        unit_price,
        quantity,
        amount_minor,
        slice_start,
        slice_end
    from {{ charges }}
    union all
    {% endfor -%}
    {% for line_type, (charges, price) in in_arrears.items() -%}
    select
        charges.line_id as slice_id,
        charges.line_id,
        '{{ line_type }}' as line_type,
        charges.invoice_id,
        periods.contract_id,
        periods.customer_id,
        charges.product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        charges.currency,
        cast(null as string) as pricing_unit_id,
        cast(charges.{{ price }} as {{ unit_price_type() }}) as unit_price,
        {{ to_quantity(0) }} as quantity,
        charges.amount_minor,
        {{ add_seconds('periods.period_end', -1) }} as slice_start,
        periods.period_end as slice_end
    from {{ charges }} as charges
    inner join periods
        on charges.period_id = periods.period_id
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor %}
)

select * from final
