{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'rated_usage'}},
        'description': 'Amounts of discounts, maximums, minimums and composites are money, and so is what they are for.',
    },
) }}

{#
  Ten dollars off 500 credits is no amount of anything. The preflight of the catalog
  refuses it in files; prices made by SQL models are only seen here.
#}
with

unit_usage as (

    select * from {{ ref('rated_usage') }}
    where pricing_unit_id is not null

),

reduced as (

    select distinct
        unit_usage.period_id,
        adjusted.adjustment_id as refused_id,
        unit_usage.product_id,
        unit_usage.pricing_unit_id
    from unit_usage
    inner join {{ ref('adjusted_slices') }} as adjusted
        on unit_usage.slice_id = adjusted.slice_id
    where
        adjusted.percentage is null
        or adjusted.maximum_amount is not null

),

raised as (

    select distinct
        unit_usage.period_id,
        scopes.limit_id as refused_id,
        unit_usage.product_id,
        unit_usage.pricing_unit_id
    from unit_usage
    inner join {{ ref('minimum_scopes') }} as scopes
        on
            unit_usage.period_id = scopes.period_id
            and {{ is_in_window('unit_usage.slice_start', 'scopes') }}
            and unit_usage.product_id
            = coalesce(scopes.product_id, unit_usage.product_id)
            and unit_usage.line_id = coalesce(scopes.usage_line_id, unit_usage.line_id)

),

composed as (

    select distinct
        unit_usage.period_id,
        composites.product_id as refused_id,
        unit_usage.product_id,
        unit_usage.pricing_unit_id
    from unit_usage
    inner join {{ ref('billing_periods') }} as periods
        on unit_usage.period_id = periods.period_id
    inner join {{ ref('composite_charges') }} as composites
        on unit_usage.invoice_id = composites.invoice_id
    inner join {{ ref('price_book_rates') }} as rates
        on
            periods.price_book = rates.price_book
            and composites.rate_id = rates.rate_id
            and unit_usage.rating_basis = composites.rating_basis
            || case when rates.use_list_prices then '_at_list' else '' end
    inner join {{ ref('price_book_products') }} as composite
        on
            periods.price_book = composite.price_book
            and composites.product_id = composite.product_id
            and {{ is_last_version('periods.period_end', 'composite') }}
    inner join {{ ref('price_book_products') }} as part
        on
            periods.price_book = part.price_book
            and unit_usage.product_id = part.product_id
            and {{ is_last_version('periods.period_end', 'part') }}
            and {{ is_part_of('part', 'composite') }}

),

final as (

    select * from reduced
    union all
    select * from raised
    union all
    select * from composed

)

select * from final
