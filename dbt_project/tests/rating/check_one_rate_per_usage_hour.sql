{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'period_usage'}},
        'description': 'No usage hour of a product is priced by two rates.',
    },
) }}

{# Two rates for one hour would charge its usage twice. The preflight of the catalog
   refuses overlapping windows of files; prices made by SQL models are only seen here. #}
with

final as (

    select
        period_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        usage_hour,
        count(*) as rates,
        min(rate_id) as first_rate_id,
        max(rate_id) as last_rate_id
    from {{ ref('period_usage') }}
    where rating_basis <> 'rerated_at_watermark'
    group by 1, 2, 3, 4, 5
    having count(*) > 1

)

select * from final
