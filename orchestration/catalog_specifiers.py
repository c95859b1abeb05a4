"""Rows that say what usage must be, and the cells of group values that they and rates
have in common."""

from __future__ import annotations

from orchestration.catalog_findings import Findings

# The keys named in a cell like `model=large|region=us`, sorted.
KEYS = (
    "list_sort(list_transform(list_filter(string_split(coalesce({0}, ''), '|'), "
    "lambda item: item <> ''), lambda item: split_part(item, '=', 1)))"
)

# Concrete values of a cell in a fixed order: a=1|b=2 equals b=2|a=1, a=* is any a.
PAIRS = (
    "list_sort(list_filter(string_split(coalesce({0}, ''), '|'), "
    "lambda item: item <> '' and not ends_with(item, '=*')))"
)


def specified_keys_exist(findings: Findings, table: str) -> None:
    """A specifier with a key that its product lacks would never hold."""
    for column, known in (
        ("pricing_group_values", "pricing_keys"),
        ("presentation_group_values", "presentation_keys"),
    ):
        given = KEYS.format(f"s.{column}")
        findings.rows(
            f"catalog/{table}.csv",
            column,
            f"""
            select s.line, array_to_string({given}, ', '),
                coalesce(s.product_id, 'any product')
            from {table} as s
            where s.{column} is not null and not exists (
                select 1 from product_versions as p
                where (s.product_id is null or s.product_id = p.product_id)
                    and list_has_all(p.{known}, {given})
            )
            """,
            f"{{0}} are not among the {known.replace('_', ' ')} of {{1}}",
            "Name keys that the product has: the row would never hold.",
        )
