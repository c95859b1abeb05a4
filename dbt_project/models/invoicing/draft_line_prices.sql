{{ config(materialized='view') }}

{# The rate windows and price steps that made a usage line, with their exact amounts. A
   flat amount of a step is a row of its own: quantity 0 and no unit price. #}
with

rated_tiers as (

    select * from {{ ref('rated_tiers') }}

),

applied_rates as (

    select * from {{ ref('applied_rates') }}
    where rating_basis = 'open'

),

final as (

    select
        applied_rates.line_id,
        applied_rates.invoice_id,
        applied_rates.rate_id,
        applied_rates.override_id,
        applied_rates.price_model,
        applied_rates.currency,
        applied_rates.rate_starting_at,
        applied_rates.rate_ending_before,
        rated_tiers.charge,
        rated_tiers.tier_start,
        rated_tiers.tier_end,
        rated_tiers.unit_price,
        {{ to_quantity('sum(rated_tiers.quantity)') }} as quantity,
        {{ to_amount('sum(rated_tiers.amount)') }} as amount
    from rated_tiers
    inner join applied_rates
        on
            rated_tiers.period_id = applied_rates.period_id
            and rated_tiers.line_id = applied_rates.line_id
            and rated_tiers.rate_id = applied_rates.rate_id
            and coalesce(rated_tiers.override_id, '')
            = coalesce(applied_rates.override_id, '')
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
    -- A stair that usage has climbed past charged and gave back the same.
    having rated_tiers.charge in ('unit', 'free') or sum(rated_tiers.amount) <> 0

)

select * from final
