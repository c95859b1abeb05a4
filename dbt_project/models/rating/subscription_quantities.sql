{{ config(materialized='view') }}

{#
  How many seats each subscription pays for: as many as are declared, and never fewer
  than are assigned. Rows of one instant apply in the order of their file, and what
  holds after the last of them counts. Before its first row a subscription has none.
#}
with

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

seats as (

    select * from {{ ref('stg_catalog__subscription_seats') }}

),

counted as (

    select
        *,
        count(quantity) over (
            partition by subscription_id
            order by starting_at, catalog_row
            rows between unbounded preceding and current row
        ) as times_set
    from {{ ref('stg_catalog__subscription_quantities') }}

),

declared as (

    select
        subscription_id,
        starting_at,
        catalog_row,
        sum(coalesce(quantity, quantity_delta)) over (
            partition by subscription_id, times_set
            order by starting_at, catalog_row
            rows between unbounded preceding and current row
        ) as quantity
    from counted

),

changes as (

    select
        subscription_id,
        starting_at,
        quantity - lag(quantity, 1, 0) over (
            partition by subscription_id order by starting_at, catalog_row
        ) as declared_change,
        0 as assigned_change
    from declared
    {% for instant, change in [('starting_at', 1), ('ending_before', -1)] -%}
    union all
    select
        subscription_id,
        {{ instant }} as starting_at,
        0 as declared_change,
        {{ change }} as assigned_change
    from seats
    where {{ instant }} is not null
    {% endfor %}

),

summed as (

    select
        subscription_id,
        starting_at,
        sum(sum(declared_change)) over (
            partition by subscription_id order by starting_at
        ) as declared_seats,
        sum(sum(assigned_change)) over (
            partition by subscription_id order by starting_at
        ) as assigned_seats,
        lead(starting_at) over (
            partition by subscription_id order by starting_at
        ) as changed_at
    from changes
    group by 1, 2

),

final as (

    select
        summed.subscription_id,
        cast(greatest(summed.declared_seats, summed.assigned_seats) as bigint)
            as quantity,
        summed.starting_at,
        {{ earlier_end('summed.changed_at', 'subscriptions.ending_before') }}
            as ending_before
    from summed
    inner join subscriptions
        on
            summed.subscription_id = subscriptions.subscription_id
            and {{ is_in_window('summed.starting_at', 'subscriptions') }}

)

select * from final
