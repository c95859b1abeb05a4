{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'period_usage'}},
        'description': 'No usage hour of a product is priced by two rates or by tied ones.',
    },
) }}

{# Two rates for one hour would charge its usage twice; which of two equal ones holds
   would be chance. The preflight of the catalog refuses both in files; prices made by SQL models
   are only seen here. #}
with

doubled as (

    select
        period_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        usage_hour,
        count(*) as rates,
        min(rate_id) as first_rate_id
    from {{ ref('period_usage') }}
    where rating_basis in ('open', 'rerated_now')
    group by 1, 2, 3, 4, 5
    having count(*) > 1

),

tied as (

    select
        price_book as period_id,
        product_id,
        pricing_group_values,
        cast(null as string) as presentation_group_values,
        starting_at as usage_hour,
        equal_matches as rates,
        rate_id as first_rate_id
    from {{ ref('rate_windows') }}
    where equal_matches > 1

),

final as (

    select * from doubled
    union all
    select * from tied

)

select * from final
