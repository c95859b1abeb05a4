{#
  One row per access segment of a prepaid commit or credit that has been granted, with
  what the books leave of it and its place in the burn order of its wallet (customer and
  currency).
#}
with

currencies as (

    select * from {{ ref('stg_currencies') }}

),

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

catalog_grants as (

    select * from {{ ref('stg_catalog__commits') }}
    union all
    select * from {{ ref('stg_catalog__credits') }}

),

segments as (

    select
        {{ hash_id('seg', [
            'catalog_grants.grant_type', 'catalog_grants.grant_id', "'1'",
        ]) }} as segment_id,
        catalog_grants.*,
        {{ to_minor('catalog_grants.amount', 'currencies.minor_unit_factor') }}
            as amount_minor,
        currencies.minor_unit
    from catalog_grants
    inner join currencies
        on catalog_grants.currency = currencies.currency

),

posted as (

    select
        segment_id,
        cast(sum(amount_minor) as bigint) as posted_minor,
        cast(
            sum(
                case when entry_type like '%SEGMENT_START' then amount_minor else 0 end
            ) as bigint
        ) as posted_start_minor
    from posted_entries
    group by 1

),

final as (

    select
        segments.segment_id,
        segments.grant_id,
        segments.grant_type,
        segments.grant_name,
        segments.customer_id,
        segments.contract_id,
        segments.applicable_product_ids,
        segments.currency,
        segments.minor_unit,
        segments.priority,
        segments.invoice_amount,
        segments.amount_minor,
        -- A segment whose start is not yet posted opens with its amount.
        segments.amount_minor
        + coalesce(posted.posted_minor, 0)
        - coalesce(posted.posted_start_minor, 0) as opening_balance_minor,
        posted.posted_start_minor,
        cast(
            row_number() over (
                partition by segments.customer_id, segments.currency
                order by
                    segments.priority,
                    case when segments.invoice_amount = 0 then 0 else 1 end,
                    case
                        when segments.applicable_product_ids is null then 1000000
                        else {{ list_size('segments.applicable_product_ids') }}
                    end,
                    coalesce(segments.ending_before, cast('9999-12-31' as timestamp)),
                    segments.starting_at,
                    case when segments.contract_id is null then 1 else 0 end,
                    coalesce(segments.created_at, segments.starting_at),
                    segments.grant_id,
                    segments.segment_id
            ) as bigint
        ) as burn_rank,
        segments.starting_at,
        segments.ending_before
    from segments
    left join posted
        on segments.segment_id = posted.segment_id

)

select * from final
