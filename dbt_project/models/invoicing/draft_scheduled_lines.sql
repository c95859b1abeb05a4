{{ config(materialized='view') }}

{# Lines that no usage makes: purchases of prepaid commits, and what postpaid commits
   are short of. #}
with

purchases as (

    select * from {{ ref('commit_purchases') }}

),

trueups as (

    select * from {{ ref('commit_trueups') }}

),

currencies as (

    select * from {{ ref('stg_currencies') }}

),

charges as (

    select
        line_id,
        invoice_id,
        line_type,
        cast(null as string) as segment_id,
        subject_id,
        amount,
        amount_minor
    from purchases
    union all
    select
        {{ hash_id('il', ['trueups.invoice_id', 'trueups.segment_id']) }} as line_id,
        trueups.invoice_id,
        'commit_trueup' as line_type,
        trueups.segment_id,
        cast(null as string) as subject_id,
        {{ from_minor('trueups.trueup_minor', 'currencies.minor_unit') }} as amount,
        trueups.trueup_minor as amount_minor
    from trueups
    inner join currencies
        on trueups.currency = currencies.currency

),

final as (

    select
        line_id,
        invoice_id,
        line_type,
        cast(null as string) as product_id,
        '{}' as pricing_group_values,
        '{}' as presentation_group_values,
        segment_id,
        cast(null as string) as applied_to_line_id,
        subject_id,
        cast(null as string) as pricing_unit_id,
        {{ to_quantity(1) }} as quantity,
        cast(null as {{ unit_price_type() }}) as unit_price,
        amount,
        amount_minor
    from charges

)

select * from final
