{{ config(materialized='view') }}

{# Usage lines of open periods: each is the sum of its slices. #}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where rating_basis = 'open'

),

final as (

    select
        line_id,
        invoice_id,
        'usage' as line_type,
        product_id,
        pricing_group_values,
        presentation_group_values,
        cast(null as string) as segment_id,
        cast(null as string) as applied_to_line_id,
        cast(null as string) as subject_id,
        pricing_unit_id,
        {{ to_quantity('sum(quantity)') }} as quantity,
        cast(null as {{ unit_price_type() }}) as unit_price,
        {{ to_amount('sum(amount)') }} as amount,
        cast(sum(amount_minor) as bigint) as amount_minor
    from rated_usage
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

)

select * from final
