{{ config(materialized='view') }}

{# Usage lines of open periods: each is the sum of its slices, and of what grants pay
   beyond the list prices. #}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where rating_basis = 'open'

),

differences as (

    select
        line_id,
        {{ to_amount('sum(amount)') }} as amount,
        cast(sum(amount_minor) as bigint) as amount_minor
    from {{ ref('commit_price_differences') }}
    group by 1

),

listed as (

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

),

final as (

    select
        listed.line_id,
        listed.invoice_id,
        listed.line_type,
        listed.product_id,
        listed.pricing_group_values,
        listed.presentation_group_values,
        listed.segment_id,
        listed.applied_to_line_id,
        listed.subject_id,
        listed.pricing_unit_id,
        listed.quantity,
        listed.unit_price,
        {{ to_amount('listed.amount + coalesce(differences.amount, 0)') }} as amount,
        listed.amount_minor + coalesce(differences.amount_minor, 0) as amount_minor
    from listed
    left join differences
        on listed.line_id = differences.line_id

)

select * from final
