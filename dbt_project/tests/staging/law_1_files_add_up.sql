{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'stg_ops__landing_files'}},
        'description': 'Every row that was read has landed or was rejected, and the lake holds what the manifest says.',
    },
) }}

{#
  Law 1, files. A row of a usage file that is neither in the lake nor among the rejects is
  usage its customer never pays for; one that is there twice is paid twice.
#}
with

landing_files as (

    select * from {{ ref('stg_ops__landing_files') }}
    where state = 'landed'

),

lake_events as (

    select
        landing_sequence,
        count(*) as lake_rows
    from {{ ref('stg_usage__events') }}
    group by 1

),

lake_rejects as (

    select
        landing_sequence,
        count(*) as lake_rejects
    from {{ ref('stg_usage__rejects') }}
    group by 1

),

lake as (

    select
        coalesce(
            lake_events.landing_sequence, lake_rejects.landing_sequence
        ) as landing_sequence,
        coalesce(lake_events.lake_rows, 0) as lake_rows,
        coalesce(lake_rejects.lake_rejects, 0) as lake_rejects
    from lake_events
    full outer join lake_rejects
        on lake_events.landing_sequence = lake_rejects.landing_sequence

),

final as (

    select
        coalesce(
            landing_files.landing_sequence, lake.landing_sequence
        ) as landing_sequence,
        landing_files.source_file,
        landing_files.rows_read,
        landing_files.rows_landed,
        landing_files.rows_rejected,
        lake.lake_rows,
        lake.lake_rejects
    from landing_files
    full outer join lake
        on landing_files.landing_sequence = lake.landing_sequence
    where
        landing_files.landing_sequence is null
        or landing_files.rows_read
        <> landing_files.rows_landed + landing_files.rows_rejected
        or landing_files.rows_landed <> coalesce(lake.lake_rows, 0)
        or landing_files.rows_rejected <> coalesce(lake.lake_rejects, 0)

)

select * from final
