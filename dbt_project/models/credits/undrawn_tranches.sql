{{ config(materialized=deep_view()) }}

{# What closed invoices, void ones left out, have not drawn of each tranche, in the
   order in which a segment gives them. #}
with

grants as (

    select * from {{ ref('credit_grants') }}

),

tranches as (

    select * from {{ ref('grant_tranches') }}

),

seat_adjustments as (

    select * from {{ ref('seat_adjustments') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

drawdowns as (

    select * from {{ ref('stg_books__credit_drawdowns') }}

),

voided_invoices as (

    select * from {{ ref('voided_invoices') }}

),

{# Draws of before there were tranches name their segment alone. What a void invoice
   drew is there again, in its own tranche. #}
drawn as (

    select
        coalesce(drawdowns.tranche_id, drawdowns.segment_id) as tranche_id,
        cast(sum(drawdowns.amount_minor) as bigint) as drawn_minor
    from drawdowns
    left join voided_invoices
        on drawdowns.invoice_id = voided_invoices.invoice_id
    where voided_invoices.invoice_id is null
    group by 1

),

final as (

    select
        tranches.tranche_id,
        tranches.segment_id,
        case
            when tranches.source_id is null then grants.amount_minor
            when seat_adjustments.tranche_id is not null
                then seat_adjustments.amount_minor
            else {{ to_smallest('tranches.amount', 'tranches', 'currencies') }}
        end - coalesce(drawn.drawn_minor, 0) as undrawn_minor,
        cast(
            row_number() over (
                partition by tranches.segment_id
                order by
                    case when tranches.source_id is null then 1 else 2 end,
                    tranches.starting_at,
                    tranches.tranche_id
            ) as bigint
        ) as tranche_number,
        tranches.starting_at
    from tranches
    inner join grants
        on tranches.segment_id = grants.segment_id
    inner join currencies
        on tranches.currency = currencies.currency
    left join seat_adjustments
        on tranches.tranche_id = seat_adjustments.tranche_id
    left join drawn
        on tranches.tranche_id = drawn.tranche_id

)

select * from final
