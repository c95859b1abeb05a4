{#
  What each grant would pay for each piece, in minor units: what it costs at list, or
  differences of the rounded running amount of the line at the grant's own prices, so
  that a line that one grant pays for costs its rounded sum. A grant whose price is zero
  pays for nothing.
#}
with

pieces as (

    select * from {{ ref('slice_pieces') }}

),

grant_contracts as (

    select * from {{ ref('grant_contracts') }}

),

grant_prices as (

    select * from {{ ref('grant_prices') }}

),

grant_price_steps as (

    select * from {{ ref('grant_price_steps') }}

),

priced as (

    select
        pieces.piece_id,
        pieces.slice_id,
        pieces.line_id,
        pieces.tier_start,
        pieces.slice_start,
        pieces.minor_unit_factor,
        grant_contracts.grant_type,
        grant_contracts.grant_id,
        grant_prices.price_id,
        pieces.quantity,
        pieces.amount_minor as list_minor,
        case
            when grant_prices.price_id is null then pieces.unit_price
            else grant_price_steps.unit_price
        end as unit_price
    from pieces
    inner join grant_contracts
        on pieces.contract_id = grant_contracts.contract_id
    left join grant_prices
        on
            pieces.slice_id = grant_prices.slice_id
            and grant_contracts.grant_type = grant_prices.grant_type
            and grant_contracts.grant_id = grant_prices.grant_id
    left join grant_price_steps
        on
            grant_prices.price_id = grant_price_steps.price_id
            and {{ begins_in_step('pieces.tier_start', 'grant_price_steps') }}

),

charged as (

    select
        *,
        case
            when price_id is null then {{ to_amount(0) }}
            else {{ multiply_price('quantity', 'unit_price') }}
        end as amount
    from priced
    where unit_price > 0

),

running as (

    select
        *,
        sum(amount) over (
            partition by line_id, grant_type, grant_id
            order by slice_start, slice_id, tier_start
            rows between unbounded preceding and current row
        ) as amount_after
    from charged

),

final as (

    select
        piece_id,
        grant_type,
        grant_id,
        price_id,
        unit_price,
        case
            when price_id is null then list_minor
            else
                {{ to_minor('amount_after', 'minor_unit_factor') }}
                - {{ to_minor('amount_after - amount', 'minor_unit_factor') }}
        end as amount_minor
    from running

)

select * from final
