{#
  What is missing to a minimum: its amount less the charges of its scope while it holds,
  after discounts and maximums. From the narrowest scope to the widest: what a line or a
  product was short of counts for the contract, as a charge of the last instant.
#}
with

scopes as (

    select * from {{ ref('minimum_scopes') }}

),

periods as (

    select * from {{ ref('billing_periods') }}

),

charges_group as (

    select * from {{ ref('period_charges') }}
    where period_id in (select scopes.period_id from scopes)

),

{% for scope, wider in minimum_widths() -%}
short_{{ scope }} as (

    select
        scopes.period_id,
        scopes.limit_id,
        scopes.product_id,
        scopes.usage_line_id,
        scopes.pricing_group_values,
        scopes.presentation_group_values,
        {{ to_amount('scopes.amount - coalesce(sum(charges.amount), 0)') }} as amount
    from scopes
    left join charges_{{ scope }} as charges
        on
            scopes.period_id = charges.period_id
            and {{ is_in_window('charges.charged_at', 'scopes') }}
            {% if scope == 'group' -%}
            and scopes.usage_line_id = charges.line_id
            {% elif scope == 'product' -%}
            and scopes.product_id = charges.product_id
            {% endif -%}
    where scopes.limit_scope = '{{ scope }}'
    group by
        {{ prefixed([
            'period_id', 'limit_id', 'product_id', 'usage_line_id',
            'pricing_group_values', 'presentation_group_values', 'amount',
        ], 'scopes.') }}
    having scopes.amount > coalesce(sum(charges.amount), 0)

),

{% if wider -%}
charges_{{ wider }} as (

    select * from charges_{{ scope }}
    union all
    select
        short_{{ scope }}.period_id,
        short_{{ scope }}.product_id,
        short_{{ scope }}.usage_line_id as line_id,
        {{ add_seconds('periods.period_end', -1) }} as charged_at,
        short_{{ scope }}.amount
    from short_{{ scope }}
    inner join periods
        on short_{{ scope }}.period_id = periods.period_id

),

{% endif -%}
{% endfor -%}
shortfalls as (

    select * from short_group
    union all
    select * from short_product
    union all
    select * from short_contract

),

final as (

    select
        {{ hash_id('il', [
            'periods.invoice_id', "'minimum'", 'shortfalls.limit_id',
            "coalesce(shortfalls.product_id, '')", 'shortfalls.pricing_group_values',
            'shortfalls.presentation_group_values',
        ]) }} as line_id,
        shortfalls.*,
        periods.invoice_id,
        periods.rating_basis,
        periods.currency,
        {{ to_minor('shortfalls.amount', 'periods.minor_unit_factor') }} as amount_minor
    from shortfalls
    inner join periods
        on shortfalls.period_id = periods.period_id

)

select * from final
