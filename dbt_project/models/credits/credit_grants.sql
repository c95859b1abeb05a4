{# One row per access segment of a prepaid commit or credit that has been granted, with
   what the books leave of it and its place in the burn order of its family and currency.
   What a recurring commit has given, and what rolled over, are facts. #}
{%- set amount -%}
coalesce(
            case
                when
                    grants.declared_as = 'recurring_commit'
                    or grants.rolled_over_from is not null
                    then posted.posted_start_minor
            end,
            {{ to_smallest('segments.amount', 'segments', 'currencies') }}
        )
{%- endset %}
with

currencies as (

    select * from {{ ref('stg_currencies') }}

),

posted as (

    select * from {{ ref('posted_balances') }}

),

grants as (

    select * from {{ ref('grants') }}

),

segments as (

    select * from {{ ref('grant_segments') }}

),

applicability as (

    select * from {{ ref('grant_applicability') }}

),

granted as (

    select
        segments.segment_id,
        segments.grant_id,
        segments.grant_type,
        grants.grant_name,
        grants.rolled_over_from,
        segments.customer_id,
        grants.family_id,
        grants.applicable_contract_ids,
        grants.child_access,
        grants.child_contract_ids,
        grants.applicable_product_ids,
        segments.currency,
        segments.pricing_unit_id,
        {{ smallest_unit('segments', 'currencies', 'segments') }} as minor_unit,
        grants.priority,
        grants.invoice_amount,
        grants.seat_group_values,
        grants.source_id,
        {{ amount }} as amount_minor,
        -- A segment whose start is not yet posted opens with its amount.
        {{ amount }}
        + coalesce(posted.posted_minor, 0)
        - coalesce(posted.posted_start_minor, 0) as opening_balance_minor,
        posted.posted_start_minor,
        applicability.applicable_products,
        applicability.applicable_usage,
        coalesce(
            grants.created_at,
            min(segments.starting_at) over (
                partition by segments.grant_type, segments.grant_id
            )
        ) as created_at,
        segments.starting_at,
        segments.ending_before
    from segments
    inner join grants
        on
            segments.grant_type = grants.grant_type
            and segments.grant_id = grants.grant_id
    inner join applicability
        on
            segments.grant_type = applicability.grant_type
            and segments.grant_id = applicability.grant_id
    inner join currencies
        on segments.currency = currencies.currency
    left join posted
        on segments.segment_id = posted.segment_id

),

final as (

    select
        *,
        {{ burn_level('granted') }} as burn_level,
        {{ burn_rank('granted') }} as burn_rank
    from granted

)

select * from final
