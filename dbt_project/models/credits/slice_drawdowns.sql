{{ config(materialized='view') }}

{# What each grant takes of each slice, its pieces together, and what that would cost at
   list prices. #}
with

uncapped_drawdowns as (

    select * from {{ ref('uncapped_drawdowns') }}

),

listed as (

    select
        *,
        case
            when piece_id is null then drawn_minor
            else {{ share_between_minor(
                'list_minor',
                quantity_units('piece_quantity') ~ ' - '
                ~ quantity_units('remaining_quantity'),
                quantity_units('piece_quantity') ~ ' - '
                ~ quantity_units('remaining_quantity') ~ ' + '
                ~ quantity_units('taken_quantity'),
                quantity_units('piece_quantity')
            ) }}
        end as drawn_list_minor
    from uncapped_drawdowns

),

final as (

    select
        tranche_id,
        segment_id,
        slice_id,
        wallet_rank,
        cast(sum(drawn_minor) as bigint) as drawn_minor,
        cast(sum(drawn_list_minor) as bigint) as list_minor,
        -- NULL where nothing has a price of its own.
        {{ to_quantity('sum(taken_quantity)') }} as quantity
    from listed
    group by 1, 2, 3, 4

)

select * from final
