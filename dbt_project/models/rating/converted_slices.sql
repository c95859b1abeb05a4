{{ config(materialized='view') }}

{#
  Metered quantities become billed ones: conversion, factor of the price, rounding, in
  integer units of 10^-12. Both ends of a slice are converted by the terms in force in
  it: only the running quantity of a line is ever rounded.
#}
with

metered_slices as (

    select * from {{ ref('metered_slices') }}

),

products as (

    select * from {{ ref('price_book_products') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

termed as (

    select
        metered_slices.*,
        products.quantity_conversion is not null
        or products.quantity_rounding is not null
        or rates.quantity_factor <> 1 as is_converted,
        products.quantity_rounding,
        products.rounding_units,
        {{ wide_integer(
            wide_integer('products.conversion_numerator') ~ ' * rates.factor_numerator'
        ) }} as numerator,
        {{ wide_integer(
            wide_integer('products.conversion_denominator')
            ~ ' * rates.factor_denominator'
        ) }} as denominator
    from metered_slices
    inner join products
        on
            metered_slices.price_book = products.price_book
            and metered_slices.product_id = products.product_id
            and metered_slices.product_starting_at = products.starting_at
    inner join rates
        on
            metered_slices.price_book = rates.price_book
            and metered_slices.rate_id = rates.rate_id

),

multiplied as (

    select
        *,
        {{ multiplied_ends() }}
    from termed

),

converted as (

    select
        *,
        {{ converted_ends() }}
    from multiplied

),

final as (

    select
        *,
        {{ rounded_ends() }}
    from converted

)

select * from final -- noqa: AM04
