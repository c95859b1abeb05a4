"""What must hold between the rows of discounts, minimums and maximums."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings


def check(findings: Findings) -> None:
    """Run every rule."""
    _discounts(findings)
    for table in ("minimums", "maximums"):
        _limits(findings, table)


def _discounts(findings: Findings) -> None:
    file = "catalog/discounts.csv"
    for kind, other in (("percentage", "amount"), ("amount", "percentage")):
        findings.rows(
            file,
            kind,
            f"select line, discount_id from discounts where discount_type = '{kind}' "
            f"and {kind} is null",
            f"the discount '{{0}}' does not say which {kind} it takes off",
            f"Fill in {kind}.",
        )
        findings.rows(
            file,
            other,
            f"select line, discount_id from discounts where discount_type = '{kind}' "
            f"and {other} is not null",
            f"the discount '{{0}}' has a type of {kind} and can't have {other} too",
            f"Leave {other} blank, or make it two discounts.",
        )
    findings.rows(
        file,
        "maximum_amount",
        "select line, discount_id from discounts where discount_type = 'amount' "
        "and maximum_amount is not null",
        "the discount '{0}' is an amount, which is its own maximum",
        "Leave maximum_amount blank, or make it a percentage.",
    )
    findings.rows(
        file,
        "maximum_units",
        "select line, discount_id from discounts where maximum_units is not null "
        "and maximum_amount is not null",
        "the discount '{0}' ends after units and after an amount",
        "Fill in one of maximum_units and maximum_amount.",
    )
    findings.rows(
        file,
        "position",
        f"""
        select b.line, min(a.discount_id), b.discount_id from discounts as a
        join discounts as b
            on a.contract_id = b.contract_id and a.line < b.line
            and a.position_ = b.position_
            and a.starting_at_ < coalesce(b.ending_before_, {FOREVER})
            and b.starting_at_ < coalesce(a.ending_before_, {FOREVER})
        group by b.line, b.discount_id
        """,
        "the discounts '{0}' and '{1}' have one position at one time",
        "Give each its own position: each takes from what the earlier ones left.",
    )


def _limits(findings: Findings, table: str) -> None:
    file = f"catalog/{table}.csv"
    one = table.removesuffix("s")
    findings.rows(
        file,
        "product_ids",
        f"select line, {one}_id from {table} "
        "where scope = 'contract' and product_ids is not null",
        f"the {one} '{{0}}' is for the contract and names products",
        "Leave product_ids blank, or make the scope product or group.",
    )
    findings.rows(
        file,
        "product_ids",
        f"select line, {one}_id, scope from {table} "
        "where scope in ('product', 'group') and product_ids is null",
        f"the {one} '{{0}}' is for each {{1}} and names no product",
        "List its products, or make the scope contract.",
    )
    findings.rows(
        file,
        "scope",
        f"""
        with named as (
            select *, unnest(string_split(coalesce(product_ids, ''), '|')) as product_id
            from {table}
        )
        select distinct b.line, a.{one}_id, b.{one}_id from named as a
        join named as b
            on a.contract_id = b.contract_id and a.line < b.line
            and a.scope = b.scope and a.product_id = b.product_id
            and a.starting_at_ < coalesce(b.ending_before_, {FOREVER})
            and b.starting_at_ < coalesce(a.ending_before_, {FOREVER})
        """,
        f"the {table} '{{0}}' and '{{1}}' are for the same usage at one time",
        "End one where the other starts, or leave one out.",
    )
