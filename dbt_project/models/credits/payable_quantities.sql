{{ config(materialized='view') }}

{#
  The quantity behind each charge that a wallet may pay: units that have a price. What
  rounds to nothing goes with the next slice of its line that does not, which carries
  its money too; after the last one, with that.
#}
with

charges as (

    select * from {{ ref('open_charges') }}
    where line_type = 'usage'

),

slice_charges as (

    select * from {{ ref('slice_charges') }}
    where
        charge = 'unit'
        and unit_price > 0

),

priced as (

    select
        slice_id,
        {{ to_quantity('sum(quantity)') }} as quantity
    from slice_charges
    group by 1

),

{# How many slices with money come from here on to the end of the line. #}
counted as (

    select
        charges.slice_id,
        charges.line_id,
        charges.amount_minor,
        {{ to_quantity('coalesce(priced.quantity, 0)') }} as quantity,
        greatest(
            sum(case when charges.amount_minor = 0 then 0 else 1 end) over (
                partition by charges.line_id
                order by charges.slice_start desc, charges.slice_id desc
                rows between unbounded preceding and current row
            ),
            1
        ) as charges_to_come
    from charges
    left join priced
        on charges.slice_id = priced.slice_id

),

carried as (

    select
        slice_id,
        amount_minor,
        {{ to_quantity(
            'sum(quantity) over (partition by line_id, charges_to_come)'
        ) }} as quantity
    from counted

),

final as (

    select
        slice_id,
        quantity
    from carried
    where
        amount_minor > 0
        and quantity > 0

)

select * from final
