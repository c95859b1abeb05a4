{{ config(materialized='view') }}

{# From when to when recurring commits count which seats of a subscription: POOLED the
   number of those that are paid, INDIVIDUAL each assigned seat by itself. #}
with

quantities as (

    select * from {{ ref('subscription_quantities') }}

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

seats as (

    select * from {{ ref('stg_catalog__subscription_seats') }}

),

final as (

    select
        subscription_id,
        'POOLED' as allocation,
        cast(null as string) as seat_id,
        cast(null as string) as seat_group_values,
        quantity,
        starting_at,
        ending_before
    from quantities
    union all
    select
        seats.subscription_id,
        'INDIVIDUAL' as allocation,
        seats.seat_id,
        {{ json_object_of('subscriptions.seat_group_key', 'seats.seat_id') }}
            as seat_group_values,
        cast(1 as bigint) as quantity,
        seats.starting_at,
        {{ earlier_end('seats.ending_before', 'subscriptions.ending_before') }}
            as ending_before
    from seats
    inner join subscriptions
        on seats.subscription_id = subscriptions.subscription_id

)

select * from final
