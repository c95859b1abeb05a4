{#
  Content hashes. The column lists are part of the version: a new column gets a new
  version beside the old one, never an edit, because closed invoices are re-hashed for
  ever (law: closed invoices hash to what they hashed when they closed).

  Version 2 of lines is version 1 followed by the pricing unit, where there is one. Lines
  of version 1 had none: one text says both versions.
#}
{% macro invoice_line_hash() -%}
    {%- set version_2 = content_text([['pricing_unit_id', 'text']]) -%}
    {{ sha256_text(invoice_line_text_1() ~ " || case when pricing_unit_id is null then '' "
        ~ 'else chr(31) || ' ~ version_2 ~ ' end') }}
{%- endmacro %}

{% macro invoice_line_text_1() -%}
    {{ content_text([
        ['line_id', 'text'], ['line_key', 'text'], ['line_number', 'integer'], ['line_type', 'text'],
        ['product_id', 'text'], ['line_name', 'text'], ['pricing_group_values', 'text'],
        ['presentation_group_values', 'text'], ['segment_id', 'text'],
        ['applied_to_line_id', 'text'], ['quantity', 'decimal'], ['currency', 'text'],
        ['amount', 'decimal'], ['amount_minor', 'integer'], ['period_start', 'instant'],
        ['period_end', 'instant'],
    ]) }}
{%- endmacro %}

{% macro invoice_sub_line_hash() -%}
    {{ sha256_text(content_text([
        ['sub_line_id', 'text'], ['line_id', 'text'], ['rate_id', 'text'],
        ['price_model', 'text'], ['tier_start', 'decimal'], ['tier_end', 'decimal'],
        ['quantity', 'decimal'], ['unit_price', 'decimal'], ['currency', 'text'],
        ['amount', 'decimal'], ['amount_minor', 'integer'], ['rate_starting_at', 'instant'],
        ['rate_ending_before', 'instant'],
    ])) }}
{%- endmacro %}

{% macro invoice_content_hash(line_hashes, sub_line_hashes) -%}
    {{ sha256_text(content_text([
        ['invoice_id', 'text'], ['invoice_number', 'text'], ['customer_id', 'text'],
        ['contract_id', 'text'], ['invoice_type', 'text'], ['currency', 'text'],
        ['usage_minor', 'integer'], ['applied_minor', 'integer'], ['total_minor', 'integer'],
        ['line_count', 'integer'], ['period_start', 'instant'], ['period_end', 'instant'],
        ['issued_at', 'instant'], ['due_at', 'instant'],
        [line_hashes, 'text'], [sub_line_hashes, 'text'],
    ])) }}
{%- endmacro %}

{# Version 2 is version 1 followed by what a person decided, where one did: entries of
   version 1 had nothing of it. Version 3 is version 2 and the pricing unit, where there
   is one; so it is with daily balances. #}
{% macro ledger_entry_hash() -%}
    {%- set version_2 = content_text([
        ['source_id', 'text'], ['reason', 'text'], ['actor', 'text'],
    ]) -%}
    {{ sha256_text(ledger_entry_text_1()
        ~ ' || case when source_id is null and reason is null and actor is null '
        ~ "then '' else chr(31) || " ~ version_2 ~ ' end' ~ unit_text()) }}
{%- endmacro %}

{% macro ledger_entry_text_1() -%}
    {{ content_text([
        ['entry_id', 'text'], ['entry_type', 'text'], ['grant_id', 'text'],
        ['segment_id', 'text'], ['customer_id', 'text'], ['invoice_id', 'text'],
        ['currency', 'text'], ['amount_minor', 'integer'], ['effective_at', 'instant'],
        ['posted_at', 'instant'],
    ]) }}
{%- endmacro %}

{% macro void_text() -%}
    {{ content_text([
        ['invoice_id', 'text'], ['instruction_id', 'text'], ['reason', 'text'],
        ['actor', 'text'], ['voided_at', 'instant'],
    ]) }}
{%- endmacro %}

{# What a daily balance says; the day as text, which is one on every engine. #}
{% macro balance_snapshot_text() -%}
    {{ content_text([
        ['cast(snapshot_date as string)', 'text'], ['segment_id', 'text'],
        ['grant_id', 'text'], ['customer_id', 'text'], ['currency', 'text'],
        ['change_minor', 'integer'], ['balance_minor', 'integer'],
    ]) }}{{ unit_text() }}
{%- endmacro %}

{# What a row that is in a pricing unit adds to its text. #}
{% macro unit_text() %}
 || case when pricing_unit_id is null then '' else chr(30) || {{ content_text([
        ['pricing_unit_id', 'text'],
    ]) }} end
{%- endmacro %}

{# What a balance was topped up with. #}
{% macro recharge_hash() -%}
    {{ sha256_text(content_text([
        ['grant_id', 'text'], ['threshold_id', 'text'], ['contract_id', 'text'],
        ['customer_id', 'text'], ['currency', 'text'], ['balance_before_minor', 'integer'],
        ['amount_minor', 'integer'], ['invoiced_minor', 'integer'], ['grant_name', 'text'],
        ['priority', 'decimal'], ['applicable_product_ids', 'text'],
        ['starting_at', 'instant'], ['ending_before', 'instant'],
    ])) }}
{%- endmacro %}
