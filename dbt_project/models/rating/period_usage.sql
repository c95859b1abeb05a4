{#
  Metered usage meets the contract period it belongs to, and the product and rate that
  price it. A row without a rate, or with a rate that is not entitled, reaches no line:
  `unbilled_usage` names the reason.
#}
with

periods as (

    select * from {{ ref('billing_periods') }}

),

products as (

    select * from {{ ref('stg_catalog__products') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}

),

metered_usage as (

    select * from {{ ref('metered_usage') }}
    where usage_hour < {{ as_of() }}

),

late_metered_usage as (

    select * from {{ ref('late_metered_usage') }}

),

card_products as (

    select distinct
        price_book,
        rate_card_id,
        product_id
    from rates

),

usage_by_basis as (

    select
        periods.period_id,
        metered_usage.metric_id,
        metered_usage.key_set,
        metered_usage.pricing_group_values,
        metered_usage.presentation_group_values,
        metered_usage.usage_hour,
        metered_usage.quantity
    from metered_usage
    inner join periods
        on
            metered_usage.customer_id = periods.customer_id
            and metered_usage.usage_hour >= periods.period_start
            and metered_usage.usage_hour < periods.period_end
    union all
    -- What had been known at the close = what is known now - what came late.
    select
        periods.period_id,
        late_metered_usage.metric_id,
        late_metered_usage.key_set,
        late_metered_usage.pricing_group_values,
        late_metered_usage.presentation_group_values,
        late_metered_usage.usage_hour,
        {{ to_quantity('-late_metered_usage.quantity') }} as quantity
    from late_metered_usage
    inner join periods
        on late_metered_usage.invoice_id = periods.invoice_id
    where periods.rating_basis = 'rerated_at_watermark'

),

final as (

    select
        periods.period_id,
        periods.invoice_id,
        periods.contract_id,
        periods.customer_id,
        periods.rating_basis,
        periods.price_book,
        periods.currency,
        products.product_id,
        usage_by_basis.metric_id,
        usage_by_basis.key_set,
        usage_by_basis.pricing_group_values,
        usage_by_basis.presentation_group_values,
        rates.rate_id,
        rates.price_model,
        rates.is_entitled,
        usage_by_basis.quantity,
        usage_by_basis.usage_hour,
        rates.starting_at as rate_starting_at,
        rates.ending_before as rate_ending_before
    from usage_by_basis
    inner join periods
        on usage_by_basis.period_id = periods.period_id
    inner join card_products
        on
            periods.price_book = card_products.price_book
            and periods.rate_card_id = card_products.rate_card_id
    inner join products
        on
            card_products.product_id = products.product_id
            and usage_by_basis.metric_id = products.metric_id
            and usage_by_basis.key_set = products.key_set
    left join rates
        on
            periods.price_book = rates.price_book
            and periods.rate_card_id = rates.rate_card_id
            and products.product_id = rates.product_id
            and usage_by_basis.pricing_group_values = rates.pricing_group_values
            and usage_by_basis.usage_hour >= rates.starting_at
            and (
                rates.ending_before is null
                or usage_by_basis.usage_hour < rates.ending_before
            )

)

select * from final
