{#
  Grants with something left whose access window meets charges of open periods, ranked
  without gaps: rank n takes what ranks below n left over.
#}
with

grants as (

    select * from {{ ref('credit_grants') }}
    where opening_balance_minor > 0

),

slices as (

    select * from {{ ref('drawable_slices') }}

),

wallet_spans as (

    select
        customer_id,
        currency,
        min(slice_start) as first_charge_at,
        max(slice_start) as last_charge_at
    from slices
    group by 1, 2

),

final as (

    select
        grants.segment_id,
        grants.customer_id,
        grants.contract_id,
        grants.currency,
        grants.applicable_product_ids,
        grants.opening_balance_minor,
        cast(
            row_number() over (
                partition by grants.customer_id, grants.currency
                order by grants.burn_rank
            ) as bigint
        ) as wallet_rank,
        grants.starting_at,
        grants.ending_before
    from grants
    inner join wallet_spans
        on
            grants.customer_id = wallet_spans.customer_id
            and grants.currency = wallet_spans.currency
            and grants.starting_at <= wallet_spans.last_charge_at
            and (
                grants.ending_before is null
                or grants.ending_before > wallet_spans.first_charge_at
            )

)

select * from final
