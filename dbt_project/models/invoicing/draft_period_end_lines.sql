{{ config(materialized='view') }}

{# Lines of open periods that are no usage: subscriptions, composites, conversions of
   pricing units, and what is missing to minimums. #}
with

charges as (

    select * from {{ ref('period_end_charges') }}
    where rating_basis = 'open'

),

final as (

    select
        line_id,
        invoice_id,
        line_type,
        product_id,
        pricing_group_values,
        presentation_group_values,
        cast(null as string) as segment_id,
        cast(null as string) as applied_to_line_id,
        coalesce(limit_id, subscription_id) as subject_id,
        pricing_unit_id,
        quantity,
        unit_price,
        amount,
        amount_minor
    from charges

)

select * from final
