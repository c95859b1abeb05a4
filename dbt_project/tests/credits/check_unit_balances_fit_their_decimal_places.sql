{{ config(
    tags=['check'],
    meta={
        'dagster': {'ref': {'name': 'credit_grants'}},
        'description': 'What a customer has in a pricing unit, also later, fits 64 bits of its smallest parts; otherwise the unit needs fewer decimal_places (catalog/pricing_units.csv).',
    },
) }}

{# A balance that is cut to 64 bits is another balance, and nobody would see it. #}
with

grants as (

    select * from {{ ref('credit_grants') }}
    where pricing_unit_id is not null

),

manual_entries as (

    select * from {{ ref('unposted_manual_entries') }}
    where
        pricing_unit_id is not null
        and amount_minor > 0

),

balances as (

    select
        customer_id,
        currency,
        pricing_unit_id,
        opening_balance_minor as balance_minor
    from grants
    union all
    select
        customer_id,
        currency,
        pricing_unit_id,
        amount_minor as balance_minor
    from manual_entries

),

final as (

    select
        customer_id,
        currency,
        pricing_unit_id,
        sum({{ wide_integer('balance_minor') }}) as balance_parts
    from balances
    group by 1, 2, 3
    having sum({{ wide_integer('balance_minor') }}) >= 9000000000000000000

)

select * from final
