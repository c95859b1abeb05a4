{{ config(materialized='view') }}

{#
  Open usage in a pricing unit that some grant is in, in whole smallest parts of the unit:
  the difference of the rounded running amount of its line, as money is in minor units.
  Units without a grant are converted whole, however large they are.
#}
with

rated_usage as (

    select * from {{ ref('rated_usage') }}
    where
        rating_basis = 'open'
        and pricing_unit_id is not null

),

pricing_units as (

    select * from {{ ref('stg_catalog__pricing_units') }}

),

granted_units as (

    select distinct
        currency,
        pricing_unit_id
    from {{ ref('grants') }}
    where pricing_unit_id is not null

),

running as (

    select
        rated_usage.*,
        pricing_units.decimal_places,
        {{ to_amount(running('rated_usage.amount', 'rated_usage.')) }} as amount_after
    from rated_usage
    inner join granted_units
        on {{ is_same_unit('rated_usage', 'granted_units') }}
    inner join pricing_units
        on rated_usage.pricing_unit_id = pricing_units.pricing_unit_id

),

differences as (

    select
        *,
        {{ to_amount('amount_after - amount') }} as amount_before
    from running

),

final as (

    select
        slice_id,
        line_id,
        invoice_id,
        contract_id,
        customer_id,
        product_id,
        pricing_group_values,
        presentation_group_values,
        currency,
        pricing_unit_id,
        unit_price,
        quantity,
        {{ to_parts('amount_after', 'decimal_places', 'pricing_unit_id') }}
        - {{ to_parts('amount_before', 'decimal_places', 'pricing_unit_id') }}
            as amount_minor,
        slice_start,
        slice_end
    from differences

)

select * from final
