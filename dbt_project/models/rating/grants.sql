{# Every grant: those of the price book, and what rolls over to renewals of contracts.
   What rolled over costs nothing more: its cost stands on the grant that it came from. #}
with

declared_grants as (

    select * from {{ ref('declared_grants') }}

),

rollovers as (

    select * from {{ ref('rollovers') }}

),

child_customers as (

    select * from {{ ref('child_customers') }}

),

all_grants as (

    {% set declared = [
        'grant_type', 'grant_id', 'declared_as', 'declared_id', 'grant_name',
        'customer_id', 'applicable_contract_ids', 'currency', 'pricing_unit_id',
        'applicable_product_ids', 'applicable_product_tags', 'child_access',
        'child_contract_ids', 'invoice_amount', 'priority', 'rate_type',
        'seat_group_values', 'source_id', 'created_at',
    ] -%}
    select
        {{ declared | join(',\n        ') }},
        cast(null as string) as rolled_over_from
    from declared_grants
    union all
    select distinct
        rollovers.grant_type,
        rollovers.new_grant_id as grant_id,
        declared_grants.declared_as,
        declared_grants.declared_id,
        declared_grants.grant_name || ' (rolled over)' as grant_name,
        rollovers.customer_id,
        rollovers.new_contract_id as applicable_contract_ids,
        rollovers.currency,
        rollovers.pricing_unit_id,
        declared_grants.applicable_product_ids,
        declared_grants.applicable_product_tags,
        declared_grants.child_access,
        declared_grants.child_contract_ids,
        {{ to_amount(0) }} as invoice_amount,
        declared_grants.priority,
        declared_grants.rate_type,
        declared_grants.seat_group_values,
        declared_grants.source_id,
        rollovers.renewal_at as created_at,
        rollovers.grant_id as rolled_over_from
    from rollovers
    inner join declared_grants
        on
            rollovers.grant_type = declared_grants.grant_type
            and rollovers.grant_id = declared_grants.grant_id

),

final as (

    select
        all_grants.*,
        coalesce(child_customers.parent_customer_id, all_grants.customer_id)
            as family_id
    from all_grants
    left join child_customers
        on all_grants.customer_id = child_customers.customer_id

)

select * from final
