{{ config(materialized='view') }}

{# Closed invoices that operators voided (`meterhouse void`): as the books say it, and
   those that the next close writes. An invoice is voided once, by the first word. #}
with

closed_invoices as (

    select * from {{ ref('stg_books__invoices') }}

),

posted_voids as (

    select * from {{ ref('stg_books__voids') }}

),

instructions as (

    select
        *,
        row_number() over (
            partition by target_id order by instruction_number
        ) as place
    from {{ ref('stg_ops__instructions') }}
    where kind = 'void'

),

first_words as (

    select * from instructions
    where place = 1

),

final as (

    select
        closed_invoices.invoice_id,
        closed_invoices.invoice_type,
        coalesce(posted_voids.instruction_id, first_words.instruction_id)
            as instruction_id,
        coalesce(posted_voids.reason, first_words.reason) as reason,
        coalesce(posted_voids.actor, first_words.actor) as actor,
        coalesce(posted_voids.voided_at, first_words.created_at) as voided_at,
        posted_voids.close_id
    from closed_invoices
    left join posted_voids
        on closed_invoices.invoice_id = posted_voids.invoice_id
    left join first_words
        on closed_invoices.invoice_id = first_words.target_id
    where
        posted_voids.invoice_id is not null
        or first_words.target_id is not null

)

select * from final
