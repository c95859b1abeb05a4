{{ config(materialized='view') }}

{# What grants may pay of open periods, negative usage too: usage, slice by slice, and
   composites. Usage in a pricing unit is there where some grant is in that unit. What is
   missing to minimums, and pricing units turned into money, are never paid from a
   wallet. #}
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

composites as (

    select * from {{ ref('composite_charges') }}
    where rating_basis = 'open'

),

periods as (

    select * from {{ ref('billing_periods') }}

),

final as (

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
    from rated_usage
    union all
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
    from unit_charges
    union all
    select
        composites.line_id as slice_id,
        composites.line_id,
        'composite' as line_type,
        composites.invoice_id,
        periods.contract_id,
        periods.customer_id,
        composites.product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        composites.currency,
        cast(null as string) as pricing_unit_id,
        composites.composite_share as unit_price,
        {{ to_quantity(0) }} as quantity,
        composites.amount_minor,
        {{ add_seconds('periods.period_end', -1) }} as slice_start,
        periods.period_end as slice_end
    from composites
    inner join periods
        on composites.period_id = periods.period_id

)

select * from final
