{# Today's minimums and maximums, and those of each close as they were frozen then. #}
{{ config(materialized='view') }}

with

minimums as (

    select * from {{ ref('stg_catalog__minimums') }}

),

maximums as (

    select * from {{ ref('stg_catalog__maximums') }}

),

frozen_limits as (

    select distinct
        {{ frozen_columns('frozen_limits') }}
    from {{ ref('stg_books__frozen_limits') }}

),

final as (

    select
        'current' as price_book,
        {{ frozen_columns('frozen_limits', hashed=false) }}
    from minimums
    union all
    select
        'current' as price_book,
        {{ frozen_columns('frozen_limits', hashed=false) }}
    from maximums
    union all
    select
        catalog_hash as price_book,
        {{ frozen_columns('frozen_limits', hashed=false) }}
    from frozen_limits

)

select * from final
