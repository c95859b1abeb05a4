{# Latest known state of each Stripe object. #}
with

objects as (

    select * from {{ source('lake', 'stripe_objects') }}
    where {{ is_account_of_this_mode('account') }}

),

ranked as (

    select
        account,
        object_type,
        object_id,
        payload,
        payload_hash,
        fetched_at,
        row_number() over (
            partition by account, object_type, object_id
            order by fetched_at desc, payload_hash asc
        ) as recency
    from objects

),

final as (

    select
        account,
        object_type,
        object_id,
        payload,
        payload_hash,
        fetched_at
    from ranked
    where recency = 1

)

select * from final
