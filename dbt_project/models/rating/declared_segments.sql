{{ config(materialized='view') }}

{# The access segments of every grant that the price book says: its own amount and
   window, or those of its access schedule. What may roll over ends with its contract,
   where that is renewed. #}
with

grants as (

    select * from {{ ref('declared_grants') }}

),

renewals as (

    select
        contract_id as new_contract_id,
        renews_contract_id as contract_id,
        starting_at as renewal_at,
        ending_before as new_ending_before
    from {{ ref('stg_catalog__contracts') }}
    where renews_contract_id is not null

),

schedules as (

    select * from {{ ref('stg_catalog__access_schedules') }}

),

segments as (

    select
        grant_type,
        grant_id,
        '1' as segment_key,
        amount,
        starting_at,
        ending_before
    from grants
    where amount is not null
    union all
    select
        grant_type,
        grant_id,
        cast({{ epoch_micros('starting_at') }} as string) as segment_key,
        amount,
        starting_at,
        ending_before
    from schedules

),

renewed as (

    select
        segments.*,
        grants.customer_id,
        grants.currency,
        grants.pricing_unit_id,
        grants.declared_as,
        grants.declared_id,
        renewals.new_contract_id,
        renewals.new_ending_before,
        renewals.renewal_at
    from segments
    inner join grants
        on
            segments.grant_type = grants.grant_type
            and segments.grant_id = grants.grant_id
    left join renewals
        on
            grants.rollover_fraction > 0
            and grants.applicable_contract_ids = renewals.contract_id
            and segments.starting_at < renewals.renewal_at
            and {{ endless('segments.ending_before') }} >= renewals.renewal_at

),

final as (

    select
        {{ hash_id('seg', ['grant_type', 'grant_id', 'segment_key']) }} as segment_id,
        segment_key,
        grant_type,
        grant_id,
        customer_id,
        currency,
        pricing_unit_id,
        amount,
        new_contract_id,
        new_ending_before,
        starting_at,
        coalesce(renewal_at, ending_before) as ending_before,
        min(starting_at) over (
            partition by declared_as, declared_id
        ) as declared_starting_at
    from renewed

)

select * from final
