{{ config(materialized='view') }}

{# Days within which one of a customer's grants starts or ends. #}
with

grants as (

    select
        customer_id,
        starting_at,
        ending_before
    from {{ ref('stg_catalog__commits') }}
    union all
    select
        customer_id,
        starting_at,
        ending_before
    from {{ ref('stg_catalog__credits') }}

),

final as (

    select distinct
        customer_id,
        cast(starting_at as date) as usage_date
    from grants
    where starting_at <> date_trunc('day', starting_at)
    union
    select distinct
        customer_id,
        cast(ending_before as date) as usage_date
    from grants
    where ending_before <> date_trunc('day', ending_before)

)

select * from final
