{{ config(materialized='view') }}

{# The access segments of every grant: its own amount and window, or those of its access
   schedule. Rating cuts usage where one starts or ends. #}
with

grants as (

    select * from {{ ref('grants') }}

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

final as (

    select
        {{ hash_id('seg', [
            'segments.grant_type', 'segments.grant_id', 'segments.segment_key',
        ]) }} as segment_id,
        segments.grant_type,
        segments.grant_id,
        grants.customer_id,
        grants.currency,
        segments.amount,
        segments.starting_at,
        segments.ending_before,
        min(segments.starting_at) over (
            partition by grants.declared_as, grants.declared_id
        ) as declared_starting_at
    from segments
    inner join grants
        on
            segments.grant_type = grants.grant_type
            and segments.grant_id = grants.grant_id

)

select * from final
