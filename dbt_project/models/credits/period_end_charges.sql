{{ config(materialized='view') }}

{# Charges of the last instant of a period: subscriptions, composites, pricing units
   turned into money, and what is missing to minimums where that is half a minor unit at
   least. #}
with

composite_charges as (

    select * from {{ ref('composite_charges') }}

),

subscription_charges as (

    select * from {{ ref('subscription_charges') }}

),

unit_conversion_charges as (

    select * from {{ ref('unit_conversion_charges') }}

),

minimum_shortfalls as (

    select * from {{ ref('minimum_shortfalls') }}
    where amount_minor > 0

),

final as (

    select
        line_id,
        'subscription' as line_type,
        invoice_id,
        rating_basis,
        product_id,
        cast(null as string) as limit_id,
        subscription_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        cast(null as string) as pricing_unit_id,
        quantity,
        unit_price,
        amount,
        amount_minor
    from subscription_charges
    union all
    select
        line_id,
        'composite' as line_type,
        invoice_id,
        rating_basis,
        product_id,
        cast(null as string) as limit_id,
        cast(null as string) as subscription_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        cast(null as string) as pricing_unit_id,
        {{ to_quantity(1) }} as quantity,
        cast(null as {{ unit_price_type() }}) as unit_price,
        amount,
        amount_minor
    from composite_charges
    union all
    select
        line_id,
        'cpu_conversion' as line_type,
        invoice_id,
        rating_basis,
        cast(null as string) as product_id,
        cast(null as string) as limit_id,
        cast(null as string) as subscription_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        pricing_unit_id,
        quantity,
        unit_price,
        amount,
        amount_minor
    from unit_conversion_charges
    union all
    select
        line_id,
        'minimum' as line_type,
        invoice_id,
        rating_basis,
        product_id,
        limit_id,
        cast(null as string) as subscription_id,
        pricing_group_values,
        presentation_group_values,
        cast(null as string) as pricing_unit_id,
        {{ to_quantity(1) }} as quantity,
        cast(null as {{ unit_price_type() }}) as unit_price,
        amount,
        amount_minor
    from minimum_shortfalls

)

select * from final
