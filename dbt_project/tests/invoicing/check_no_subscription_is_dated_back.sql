{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_lines'}},
        'description': 'No subscription with a price had seats in a closed period that did not charge for them.',
    },
) }}

{#
  What is closed is not billed again: a subscription, or its product and price, that come
  into closed time afterwards would be given away there. The prices are those of the
  close, and today's where it did not know the product. Date the subscription, or the
  rate of a new product, from now on.
#}
with

invoices as (

    select
        invoices.*,
        closes.catalog_hash
    from {{ ref('stg_books__invoices') }} as invoices
    inner join {{ ref('stg_books__closes') }} as closes
        on invoices.close_id = closes.close_id
    where invoices.invoice_type = 'USAGE'

),

billed_lines as (

    select * from {{ ref('stg_books__invoice_lines') }}
    where line_type = 'subscription'

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}
    where product_id is not null

),

quantities as (

    select * from {{ ref('subscription_quantities') }}
    where quantity > 0

),

known_products as (

    select distinct
        price_book,
        product_id
    from {{ ref('price_book_products') }}

),

rates as (

    select * from {{ ref('price_book_rates') }}
    where is_entitled

),

exclusions as (

    select * from {{ ref('price_book_overrides') }}
    where not is_entitled

),

held as (

    select
        invoices.invoice_id,
        invoices.contract_id,
        invoices.rate_card_id,
        coalesce(known_products.price_book, 'current') as price_book,
        subscriptions.subscription_id,
        subscriptions.product_id,
        greatest(subscriptions.starting_at, invoices.period_start) as priced_at,
        max(quantities.quantity) as seats
    from invoices
    inner join subscriptions
        on invoices.contract_id = subscriptions.contract_id
    inner join quantities
        on
            subscriptions.subscription_id = quantities.subscription_id
            and invoices.period_end > quantities.starting_at
            and {{ endless('quantities.ending_before') }} > invoices.period_start
    left join known_products
        on
            invoices.catalog_hash = known_products.price_book
            and subscriptions.product_id = known_products.product_id
    group by 1, 2, 3, 4, 5, 6, 7

),

final as (

    select held.*
    from held
    inner join rates
        on
            held.price_book = rates.price_book
            and held.rate_card_id = rates.rate_card_id
            and held.product_id = rates.product_id
            and {{ is_in_window('held.priced_at', 'rates') }}
    left join billed_lines
        on {{ subscription_line_id('held', 'held') }} = billed_lines.line_id
    left join exclusions
        on
            held.price_book = exclusions.price_book
            and held.contract_id = exclusions.contract_id
            and {{ is_in_window('held.priced_at', 'exclusions') }}
    where
        billed_lines.line_id is null
        and exclusions.override_id is null

)

select * from final
