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
  usage that was taken back, which only metrics without a look ahead may do, and only up to
  what was charged before. (What a closed line's metric was is not known any more.)
#}
with

{# In integers whatever they are in: smallest parts, where that is a pricing unit. Only
   lines in units that some grant is in: others may be more than integers hold. #}
lines as (

    select
        law_lines.line_id,
        law_lines.line_type,
        law_lines.segment_id,
        law_lines.applied_to_line_id,
        law_lines.stands_in,
        law_lines.pricing_unit_id,
        pricing_units.decimal_places,
        {{ minor_of_line('law_lines', 'pricing_units') }} as amount_minor
    from ({{ law_invoice_lines() }}) as law_lines
    left join {{ ref('stg_catalog__pricing_units') }} as pricing_units
        on law_lines.pricing_unit_id = pricing_units.pricing_unit_id
    where
        law_lines.pricing_unit_id is null
        or law_lines.pricing_unit_id in (
            select unit_grants.pricing_unit_id
            from {{ ref('grants') }} as unit_grants
            where unit_grants.pricing_unit_id is not null
        )

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

charged as (

    select
        line_id,
        cast(sum(greatest(amount_minor, 0)) as bigint) as charged_minor,
        {{ to_amount('sum(greatest(amount, 0))') }} as charged_amount,
        count(*) as slices
    from ({{ law_slices() }}) as slices
    group by 1

),

ahead_unseen as (

    select distinct line_id
    from {{ ref('drawable_charges') }}
    where is_without_look_ahead

),

{# Each slice of a unit may have been rounded up by one part. #}
charged_lines as (

    select
        lines.line_id,
        case
            when lines.pricing_unit_id is null then charged.charged_minor
            else
                {{ to_parts(
                    'charged.charged_amount', 'lines.decimal_places',
                    'lines.pricing_unit_id'
                ) }} + charged.slices
        end as charged_minor
    from lines
    inner join charged
        on lines.line_id = charged.line_id

),

paid_lines as (

    select
        lines.line_id,
        lines.amount_minor,
        case
            when lines.stands_in = 'closed' or ahead_unseen.line_id is not null
                then greatest(lines.amount_minor, coalesce(charged.charged_minor, 0))
            else greatest(lines.amount_minor, 0)
        end as payable_minor
    from lines
    left join charged_lines as charged
        on lines.line_id = charged.line_id
    left join ahead_unseen
        on lines.line_id = ahead_unseen.line_id
    where lines.line_type in ('usage', 'subscription', 'composite')

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
        or covered_lines.covered_minor > paid_lines.payable_minor

)

select * from final
