{{ config(materialized='view') }}

{# What open periods lack to a minimum, as lines of their own; less than half a minor unit
   is no line. #}
with

shortfalls as (

    select * from {{ ref('minimum_shortfalls') }}
    where
        rating_basis = 'open'
        and amount_minor > 0

),

final as (

    select
        line_id,
        invoice_id,
        'minimum' as line_type,
        product_id,
        pricing_group_values,
        presentation_group_values,
        cast(null as string) as segment_id,
        cast(null as string) as applied_to_line_id,
        {{ to_quantity(1) }} as quantity,
        amount,
        amount_minor
    from shortfalls

)

select * from final
