{# Values of UNIQUE metrics in the hours that late usage touched, as they were known at
   the close. #}
with

known_events as (

    select * from {{ ref('known_events') }}

),

final as (

    {{ values_of_events('known_events', ['invoice_id', 'customer_id']) }}

)

select * from final
