with

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

own_ids as (

    select
        customer_id as customer_ref,
        customer_id
    from customers

),

aliases as (

    select
        {{ list_elements('ingest_aliases') }} as customer_ref,
        customer_id
    from customers
    where ingest_aliases is not null

),

final as (

    select * from own_ids
    union all
    select
        trim(customer_ref) as customer_ref,
        customer_id
    from aliases

)

select * from final
