{{ config(materialized='view') }}

{# What grants in a pricing unit pay of each invoice: of drafts as of this run, of
   closed invoices as the books say it, whatever is rated again. #}
with

draft_drawdowns as (

    select * from {{ ref('credit_drawdowns') }}
    where pricing_unit_id is not null

),

closed_drawdowns as (

    select * from {{ ref('stg_books__credit_drawdowns') }}
    where pricing_unit_id is not null

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

draws as (

    select
        invoice_id,
        pricing_unit_id,
        true as is_draft,
        amount_minor
    from draft_drawdowns
    union all
    select
        invoice_id,
        pricing_unit_id,
        false as is_draft,
        amount_minor
    from closed_drawdowns

),

final as (

    select
        draws.invoice_id,
        draws.pricing_unit_id,
        draws.is_draft,
        {{ to_amount('sum(' ~ from_minor(
            'draws.amount_minor', unit_of_places('pricing_units.decimal_places')
        ) ~ ')') }} as drawn_amount
    from draws
    inner join pricing_units
        on draws.pricing_unit_id = pricing_units.pricing_unit_id
    group by 1, 2, 3

)

select * from final
