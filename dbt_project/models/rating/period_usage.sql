{#
  Usage of a period meets the product, rate and override that price it. A row without a
  rate, or with one that is not entitled, reaches no line: `unbilled_usage` names the
  reason.
#}
with

product_usage as (

    select * from {{ ref('product_usage') }}

),

rate_windows as (

    select * from {{ ref('rate_windows') }}

),

override_windows as (

    select * from {{ ref('override_windows') }}

),

final as (

    select
        product_usage.period_id,
        product_usage.invoice_id,
        product_usage.contract_id,
        product_usage.customer_id,
        product_usage.rating_basis,
        product_usage.price_book,
        product_usage.currency,
        product_usage.product_id,
        product_usage.metric_id,
        product_usage.key_set,
        product_usage.pricing_group_values,
        product_usage.presentation_group_values,
        {{ chosen_rate('rate_windows', 'override_windows', 'product_usage') }},
        product_usage.quantity,
        product_usage.usage_hour,
        product_usage.usage_source,
        product_usage.product_starting_at,
        greatest(
            product_usage.product_starting_at,
            rate_windows.starting_at,
            coalesce(override_windows.starting_at, rate_windows.starting_at)
        ) as price_starting_at,
        {{ earlier_end(
            'product_usage.product_ending_before',
            earlier_end('rate_windows.ending_before', 'override_windows.ending_before')
        ) }} as price_ending_before
    from product_usage
    inner join rate_windows
        on
            product_usage.price_book = rate_windows.price_book
            and product_usage.rate_card_id = rate_windows.rate_card_id
            and product_usage.product_id = rate_windows.product_id
            and product_usage.pricing_group_values = rate_windows.pricing_group_values
            and {{ is_in_window('product_usage.usage_hour', 'rate_windows') }}
    left join override_windows
        on
            product_usage.price_book = override_windows.price_book
            and product_usage.contract_id = override_windows.contract_id
            and product_usage.product_id = override_windows.product_id
            and product_usage.pricing_group_values
            = override_windows.pricing_group_values
            and product_usage.presentation_group_values
            = override_windows.presentation_group_values
            and {{ is_in_window('product_usage.usage_hour', 'override_windows') }}

)

select * from final
