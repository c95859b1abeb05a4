{{ config(materialized='view') }}

{# An un-dimensioned product that the contract is entitled to shows a line even without
   usage; its only slice stands in the first entitled price window of the period. #}
with

windows as (

    select * from {{ ref('entitled_windows') }}

),

used_lines as (

    select distinct
        period_id,
        product_id
    from {{ ref('cut_usage') }}

),

first_windows as (

    select
        windows.*,
        row_number() over (
            partition by windows.period_id, windows.product_id
            order by windows.step_start
        ) as window_number
    from windows
    left join used_lines
        on
            windows.period_id = used_lines.period_id
            and windows.product_id = used_lines.product_id
    where
        used_lines.product_id is null
        and windows.product_type = 'USAGE'

),

final as (

    select
        period_id,
        price_book,
        product_id,
        product_starting_at,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        rate_id,
        override_id,
        step_start,
        step_start as step_end,
        step_start as price_starting_at,
        price_ending_before,
        {{ to_quantity(0) }} as quantity,
        '' as event_id,
        cast(null as {{ unit_price_type() }}) as event_price,
        cast(null as {{ amount_type() }}) as event_amount
    from first_windows
    where window_number = 1

)

select * from final
