{#
  What the laws read before the close: rows of the books beside the drafts that the next
  close would add. The readers say the same afterwards, but a law that waits for them
  finds the mistake when it is already in the books.
#}

{% macro booked_and_draft(booked, drafts, id, columns) -%}
    select
        {% for column in columns -%}
        {{ column }},
        {% endfor -%}
        'closed' as stands_in
    from {{ booked }}
    union all
    select
        {% for column in columns -%}
        drafts.{{ column }},
        {% endfor -%}
        'draft' as stands_in
    from {{ drafts }} as drafts
    left join {{ booked }} as booked
        on drafts.{{ id }} = booked.{{ id }}
    where booked.{{ id }} is null
{%- endmacro %}

{# Children of an invoice: a draft of a closed invoice is no draft any more. #}
{% macro booked_and_draft_of_invoice(booked, drafts, columns, draft_condition='1 = 1') -%}
    select
        {% for column in columns -%}
        {{ column }},
        {% endfor -%}
        'closed' as stands_in
    from {{ booked }}
    union all
    select
        {% for column in columns -%}
        drafts.{{ column }},
        {% endfor -%}
        'draft' as stands_in
    from {{ drafts }} as drafts
    left join {{ ref('stg_books__invoices') }} as closed_invoices
        on drafts.invoice_id = closed_invoices.invoice_id
    where
        closed_invoices.invoice_id is null
        and {{ draft_condition }}
{%- endmacro %}

{# What a line comes to in integers: minor units of money, or smallest parts of the unit
   that its amount is in. #}
{% macro minor_of_line(lines, units) -%}
    case
        when {{ is_in_pricing_unit(lines ~ '.') }}
            then {{ to_parts(
                lines ~ '.amount', units ~ '.decimal_places', lines ~ '.pricing_unit_id'
            ) }}
        else {{ lines }}.amount_minor
    end
{%- endmacro %}

{% macro law_invoices() -%}
    {{ booked_and_draft_of_invoice(
        ref('stg_books__invoices'), ref('draft_invoices'),
        ['invoice_id', 'invoice_number', 'customer_id', 'currency', 'usage_minor',
         'applied_minor', 'total_minor', 'line_count'],
    ) }}
{%- endmacro %}

{% macro law_invoice_lines() -%}
    {{ booked_and_draft_of_invoice(
        ref('stg_books__invoice_lines'), ref('draft_invoice_lines'),
        ['invoice_id', 'line_id', 'line_type', 'segment_id', 'applied_to_line_id',
         'currency', 'pricing_unit_id', 'quantity', 'amount', 'amount_minor'],
    ) }}
{%- endmacro %}

{% macro law_invoice_sub_lines() -%}
    {{ booked_and_draft_of_invoice(
        ref('stg_books__invoice_sub_lines'), ref('draft_invoice_sub_lines'),
        ['invoice_id', 'line_id', 'quantity', 'amount', 'amount_minor'],
    ) }}
{%- endmacro %}

{% macro law_slices() -%}
    {{ booked_and_draft_of_invoice(
        ref('stg_books__rated_slices'), ref('rated_usage'),
        ['invoice_id', 'line_id', 'quantity', 'amount', 'amount_minor'],
        "drafts.rating_basis = 'open'",
    ) }}
{%- endmacro %}

{% macro law_drawdowns() -%}
    {{ booked_and_draft_of_invoice(
        ref('stg_books__credit_drawdowns'), ref('credit_drawdowns'),
        ['invoice_id', 'line_id', 'segment_id', 'currency', 'pricing_unit_id',
         'amount_minor', 'list_amount_minor'],
    ) }}
{%- endmacro %}

{% macro law_ledger_entries() -%}
    {{ booked_and_draft(
        ref('stg_books__ledger_entries'), ref('draft_ledger_entries'), 'entry_id',
        ['entry_id', 'entry_type', 'segment_id', 'customer_id', 'invoice_id', 'currency',
         'pricing_unit_id', 'amount_minor', 'effective_at'],
    ) }}
{%- endmacro %}
