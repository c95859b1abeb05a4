{{ config(
    tags=['law'],
    meta={
        'dagster': {'ref': {'name': 'draft_invoice_lines'}},
        'description': 'An applied line is the negative of what its grant drew on the line, and no line is covered beyond its amount.',
    },
) }}

{#
  Law 3, applied. More applied than drawn is a discount nobody granted; more drawn than
  applied is prepaid money lost; more covered than the line is worth burns a balance for
  usage that was taken back.
#}
with

lines as (

    {{ law_invoice_lines() }}

),

drawdowns as (

    {{ law_drawdowns() }}

),

applied as (

    select
        applied_to_line_id as line_id,
        segment_id,
        sum(amount_minor) as applied_minor
    from lines
    where {{ is_applied() }}
    group by 1, 2

),

covered as (

    select
        line_id,
        segment_id,
        sum(amount_minor) as covered_minor
    from drawdowns
    group by 1, 2

),

paid_lines as (

    select
        line_id,
        amount_minor
    from lines
    where line_type in ('usage', 'composite')

),

covered_lines as (

    select
        line_id,
        sum(covered_minor) as covered_minor
    from covered
    group by 1

),

final as (

    select
        coalesce(applied.line_id, covered.line_id) as line_id,
        coalesce(applied.segment_id, covered.segment_id) as segment_id,
        applied.applied_minor,
        covered.covered_minor,
        cast(null as bigint) as line_minor
    from applied
    full outer join covered
        on
            applied.line_id = covered.line_id
            and applied.segment_id = covered.segment_id
    where coalesce(applied.applied_minor, 0) <> -coalesce(covered.covered_minor, 0)
    union all
    select
        covered_lines.line_id,
        cast(null as string) as segment_id,
        cast(null as bigint) as applied_minor,
        covered_lines.covered_minor,
        paid_lines.amount_minor as line_minor
    from covered_lines
    left join paid_lines
        on covered_lines.line_id = paid_lines.line_id
    where
        paid_lines.line_id is null
        or covered_lines.covered_minor > greatest(paid_lines.amount_minor, 0)

)

select * from final
