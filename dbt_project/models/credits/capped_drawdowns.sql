{{ config(materialized='view') }}
{# What each grant pays of each charge. A line that negative usage brings down is paid
   up to its total at list (its quantity, where that is zero): the latest draws are given
   back, unless its metric has no look ahead. #}
with

draws as (

    select * from {{ ref('slice_drawdowns') }}

),

slices as (

    select
        slice_id,
        line_id,
        invoice_id,
        customer_id,
        currency,
        pricing_unit_id,
        is_without_look_ahead,
        slice_start,
        cast(sum(amount_minor) as bigint) as charged_minor
    from {{ ref('drawable_charges') }}
    group by 1, 2, 3, 4, 5, 6, 7, 8

),

line_caps as (

    select
        line_id,
        greatest(cast(sum(amount_minor) as bigint), 0) as cap_minor,
        greatest({{ to_quantity('sum(quantity)') }}, 0) as cap_quantity
    from {{ ref('open_charges') }}
    group by 1

),

placed as (

    {%- set so_far = 'over (partition by slices.line_id order by slices.slice_start, '
        ~ 'slices.slice_id, draws.wallet_rank '
        ~ 'rows between unbounded preceding and current row)' %}
    select
        draws.*,
        slices.line_id,
        slices.invoice_id,
        slices.customer_id,
        slices.currency,
        slices.pricing_unit_id,
        slices.charged_minor,
        slices.slice_start,
        {% for unit, room in [('list_minor', 'minor'), ('quantity', 'quantity')] -%}
        case
            when slices.is_without_look_ahead then draws.{{ unit }}
            else
                line_caps.cap_{{ room }} + draws.{{ unit }}
                - sum(draws.{{ unit }}) {{ so_far }}
        end as room_{{ room }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from draws
    inner join slices
        on draws.slice_id = slices.slice_id
    inner join line_caps
        on slices.line_id = line_caps.line_id

),

kept as (

    select
        *,
        cast(least(list_minor, greatest(room_minor, 0)) as bigint) as kept_list_minor,
        case
            when list_minor = 0
                then {{ to_quantity('least(quantity, greatest(room_quantity, 0))') }}
            when room_minor >= list_minor then quantity
            else {{ share_of_quantity(
                'quantity', 'greatest(room_minor, 0)', 'list_minor'
            ) }}
        end as kept_quantity
    from placed

),

final as (

    select
        tranche_id,
        segment_id,
        slice_id,
        wallet_rank,
        line_id,
        invoice_id,
        customer_id,
        currency,
        pricing_unit_id,
        {{ kept_of_draw() }} as kept_minor,
        kept_list_minor,
        kept_quantity,
        charged_minor,
        slice_start
    from kept
    where kept_list_minor > 0 or kept_quantity > 0

)

select * from final
