{{ config(materialized='view', tags=['reader']) }}

{#
  How much of each movement of a prepaid commit or credit is of the segment's own
  amount, not of what was given to it by hand. Draws are known by tranche; whatever else
  lowers a segment takes its own amount first. What a void gives back is the own part of
  its draw.
#}
with

ledger as (

    select * from {{ ref('credit_ledger') }}
    where entry_type not like 'POSTPAID%'

),

own_deductions as (

    select * from {{ ref('own_deductions') }}

),

granted as (

    select
        segment_id,
        cast(sum(amount_minor) as bigint) as granted_minor
    from ledger
    where {{ is_start('entry_type') }}
    group by 1

),

running as (

    select
        ledger.*,
        granted.granted_minor,
        sum(
            case
                when {{ is_start('ledger.entry_type') }} then 0
                when ledger.entry_type like '%DEDUCTION'
                    then coalesce(own_deductions.drawn_minor, 0)
                when ledger.entry_type like '%CREDITED'
                    then -coalesce(own_deductions.drawn_minor, 0)
                else greatest(-ledger.amount_minor, 0)
            end
        ) over (
            partition by ledger.segment_id
            order by ledger.entry_number
            rows between unbounded preceding and current row
        ) as lowered_minor
    from ledger
    inner join granted
        on ledger.segment_id = granted.segment_id
    left join own_deductions
        on
            ledger.segment_id = own_deductions.segment_id
            and ledger.invoice_id = own_deductions.invoice_id

),

final as (

    select
        segment_id,
        entry_id,
        entry_type,
        entry_number,
        granted_minor,
        cast(
            least(
                lag(lowered_minor, 1, 0) over (
                    partition by segment_id order by entry_number
                ),
                granted_minor
            ) as bigint
        ) as own_before_minor,
        cast(least(lowered_minor, granted_minor) as bigint) as own_after_minor
    from running

)

select * from final
