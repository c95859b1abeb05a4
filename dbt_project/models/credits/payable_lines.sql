{#
  Which line each active grant may pay for, by contract, product and group values; the
  access window is held against the single charge.
#}
with

charges as (

    select * from {{ ref('drawable_charges') }}

),

grants as (

    select * from {{ ref('active_grants') }}

),

scopes as (

    select * from {{ ref('grant_scopes') }}

),

lines as (

    select
        line_id,
        line_type,
        contract_id,
        customer_id,
        product_id,
        product_tags,
        pricing_group_values,
        presentation_group_values,
        currency,
        min(slice_start) as first_charge_at,
        max(slice_start) as last_charge_at
    from charges
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9

),

final as (

    select distinct
        lines.line_id,
        grants.segment_id,
        grants.wallet_rank,
        grants.opening_balance_minor,
        grants.starting_at,
        grants.ending_before
    from lines
    inner join grants
        on
            lines.customer_id = grants.customer_id
            and lines.currency = grants.currency
            and {{ list_allows('grants.applicable_contract_ids', 'lines.contract_id') }}
            and lines.last_charge_at >= grants.starting_at
            and lines.first_charge_at < {{ endless('grants.ending_before') }}
    inner join scopes
        on
            grants.grant_type = scopes.grant_type
            and grants.grant_id = scopes.grant_id
            and {{ is_in_scope('lines', 'scopes') }}

)

select * from final
