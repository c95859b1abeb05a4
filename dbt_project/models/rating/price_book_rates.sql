{# Today's prices, and those of each close as they were frozen then. The price of an
   overwrite stands beside the rates, under the override's id and on no card. #}
{{ config(materialized=deep_view()) }}

with

current_rates as (

    select * from {{ ref('stg_catalog__rates') }}

),

overrides as (

    select * from {{ ref('stg_catalog__overrides') }}
    where override_type = 'overwrite'

),

frozen_rates as (

    select distinct
        {{ frozen_columns('frozen_rates') }}
    from {{ ref('stg_books__frozen_rates') }}

),

all_rates as (

    select
        'current' as price_book,
        rate_id,
        rate_card_id,
        product_id,
        pricing_group_values,
        {{ rate_term_names() }},
        minimum_amount,
        maximum_amount,
        use_list_prices,
        is_entitled,
        starting_at,
        ending_before
    from current_rates
    union all
    select
        'current' as price_book,
        override_id as rate_id,
        cast(null as string) as rate_card_id,
        cast(null as string) as product_id,
        cast(null as string) as pricing_group_values,
        {{ rate_term_names() }},
        cast(null as {{ amount_type() }}) as minimum_amount,
        cast(null as {{ amount_type() }}) as maximum_amount,
        false as use_list_prices,
        is_entitled,
        starting_at,
        ending_before
    from overrides
    union all
    select
        catalog_hash as price_book,
        rate_id,
        rate_card_id,
        product_id,
        pricing_group_values,
        {{ rate_term_names() }},
        minimum_amount,
        maximum_amount,
        coalesce(use_list_prices, false) as use_list_prices,
        is_entitled,
        starting_at,
        ending_before
    from frozen_rates

),

final as (

    select
        all_rates.*,
        {{ json_key_list('pricing_group_values') }} as priced_keys,
        {{ decimal_numerator('quantity_factor') }} as factor_numerator,
        {{ decimal_denominator('quantity_factor') }} as factor_denominator
    from all_rates

)

select * from final
