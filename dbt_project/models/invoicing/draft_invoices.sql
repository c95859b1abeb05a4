{# One row an open contract period: the truth as of this run. The content hash covers
   the invoice, its lines and its sub-lines, and is what the books keep. #}
with

periods as (

    select * from {{ ref('billing_periods') }}
    where rating_basis = 'open'

),

lines as (

    select * from {{ ref('draft_invoice_lines') }}

),

sub_lines as (

    select * from {{ ref('draft_invoice_sub_lines') }}

),

build as (

    select * from {{ ref('stg_ops__build') }}

),

line_totals as (

    select
        invoice_id,
        cast(
            sum(case when line_type = 'usage' then amount_minor else 0 end) as bigint
        ) as usage_minor,
        cast(
            sum(case when line_type <> 'usage' then amount_minor else 0 end) as bigint
        ) as applied_minor,
        cast(sum(amount_minor) as bigint) as total_minor,
        cast(count(*) as bigint) as line_count,
        {{ ordered_concat(invoice_line_hash(), 'line_number') }} as line_hashes
    from lines
    group by 1

),

sub_line_hashes as (

    select
        invoice_id,
        {{ ordered_concat(invoice_sub_line_hash(), 'sub_line_id') }} as sub_line_hashes
    from sub_lines
    group by 1

),

totalled as (

    select
        periods.invoice_id,
        {{ month_text('periods.period_start') }} || '-'
        || substr(upper(periods.customer_id), 1, 13) || '-'
        || upper(substr(periods.invoice_id, 5, 4)) as invoice_number,
        periods.customer_id,
        periods.contract_id,
        periods.rate_card_id,
        periods.billing_profile_id,
        'USAGE' as invoice_type,
        periods.currency,
        periods.minor_unit_factor,
        periods.minor_unit,
        periods.net_payment_terms_days,
        periods.late_usage_policy,
        coalesce(line_totals.usage_minor, 0) as usage_minor,
        coalesce(line_totals.applied_minor, 0) as applied_minor,
        coalesce(line_totals.total_minor, 0) as total_minor,
        coalesce(line_totals.line_count, 0) as line_count,
        coalesce(line_totals.line_hashes, '') as line_hashes,
        coalesce(sub_line_hashes.sub_line_hashes, '') as sub_line_hashes,
        periods.is_closable,
        periods.period_start,
        periods.period_end,
        periods.closes_at as issued_at,
        {{ add_hours('periods.closes_at', 'periods.net_payment_terms_days * 24') }}
            as due_at
    from periods
    left join line_totals
        on periods.invoice_id = line_totals.invoice_id
    left join sub_line_hashes
        on periods.invoice_id = sub_line_hashes.invoice_id

),

final as (

    select
        totalled.invoice_id,
        totalled.invoice_number,
        totalled.customer_id,
        totalled.contract_id,
        totalled.rate_card_id,
        totalled.billing_profile_id,
        totalled.invoice_type,
        totalled.late_usage_policy,
        {{ invoice_content_hash('totalled.line_hashes', 'totalled.sub_line_hashes') }}
            as content_hash,
        build.build_id,
        totalled.currency,
        totalled.minor_unit_factor,
        totalled.net_payment_terms_days,
        totalled.usage_minor,
        totalled.applied_minor,
        totalled.total_minor,
        {{ from_minor('totalled.total_minor', 'totalled.minor_unit') }} as total,
        totalled.line_count,
        totalled.is_closable,
        totalled.period_start,
        totalled.period_end,
        totalled.issued_at,
        totalled.due_at
    from totalled
    cross join build

)

select * from final
