{{ config(materialized='view') }}

{# What the books say of each segment. #}
with

posted_entries as (

    select * from {{ ref('stg_books__ledger_entries') }}

),

final as (

    select
        segment_id,
        cast(sum(amount_minor) as bigint) as posted_minor,
        cast(
            sum(
                case when {{ is_start('entry_type') }} then amount_minor else 0 end
            ) as bigint
        ) as posted_start_minor,
        cast(
            sum(
                case
                    when
                        entry_type like '%EXPIRATION'
                        or entry_type like '%ROLLOVER'
                        or entry_type like '%TRUEUP'
                        then 1
                    else 0
                end
            ) as bigint
        ) as end_count
    from posted_entries
    group by 1

)

select * from final
