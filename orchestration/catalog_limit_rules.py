"""What must hold between the rows of discounts, minimums, maximums and composites."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings


def check(findings: Findings) -> None:
    """Run every rule."""
    _discounts(findings)
    for table in ("minimums", "maximums"):
        _limits(findings, table)
    _composites(findings)
    _shares(findings)


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


def _composites(findings: Findings) -> None:
    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            "catalog/products.csv",
            field,
            f"select line, product_id from products where {condition}",
            problem,
            remedy,
        )

    find(
        "metric_id",
        "product_type = 'USAGE' and metric_id is null",
        "the product '{0}' has no metric",
        "Name the metric whose quantity is billed.",
    )
    find(
        "composite_product_ids",
        "product_type = 'USAGE' and coalesce(composite_product_ids, composite_tags, "
        "exclude_free_usage) is not null",
        "the product '{0}' is usage and no share of others",
        "Leave the columns of composites blank, or make it COMPOSITE.",
    )
    find(
        "product_type",
        "product_type = 'COMPOSITE' and coalesce(metric_id, pricing_group_keys, "
        "presentation_group_keys, quantity_conversion, quantity_rounding) is not null",
        "the composite '{0}' is a share of others and has no usage of its own",
        "Leave metric_id, the keys, conversion and rounding blank.",
    )
    find(
        "composite_product_ids",
        "product_type = 'COMPOSITE' "
        "and coalesce(composite_product_ids, composite_tags) is null",
        "the composite '{0}' does not say what it is a share of",
        "Fill in composite_product_ids, composite_tags or both.",
    )
    findings.rows(
        "catalog/products.csv",
        "composite_product_ids",
        """
        with named as (
            select line, product_id,
                unnest(string_split(composite_product_ids, '|')) as part
            from products where composite_product_ids is not null
        )
        select distinct named.line, named.product_id, part
        from named join products on named.part = products.product_id
        where products.product_type = 'COMPOSITE'
        """,
        "the composite '{0}' is a share of the composite '{1}'",
        "Name the usage products themselves.",
    )


def _shares(findings: Findings) -> None:
    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            "catalog/rates.csv",
            field,
            f"select distinct r.line, r.rate_id, r.product_id from rates as r "
            f"join products as p on r.product_id = p.product_id where {condition}",
            problem,
            remedy,
        )

    find(
        "price_model",
        "p.product_type = 'COMPOSITE' and r.price_model <> 'percentage'",
        "the rate '{0}' of the composite '{1}' is no percentage",
        "Make it a percentage: unit_price is the share.",
    )
    find(
        "minimum_amount",
        "(r.price_model <> 'percentage' or p.product_type = 'USAGE') "
        "and coalesce(r.minimum_amount, r.maximum_amount) is not null",
        "the rate '{0}' is no percentage and can't have an amount at least or at most",
        "Leave the cells blank; minimums.csv and maximums.csv are for usage.",
    )
    find(
        "use_list_prices",
        "p.product_type = 'USAGE' and r.use_list_prices_",
        "the rate '{0}' of '{1}' is itself a list price",
        "Leave the cell blank; it is for composites.",
    )
    find(
        "maximum_amount",
        "r.minimum_amount_ > r.maximum_amount_",
        "the rate '{0}' charges at least more than at most",
        "Let minimum_amount be no more than maximum_amount.",
    )
    find(
        "free_units",
        "p.product_type = 'COMPOSITE' and coalesce(r.free_units, r.quantity_factor, "
        "r.tier_scope, r.event_fee, r.free_events, r.event_minimum, r.event_maximum) "
        "is not null",
        "the rate '{0}' is a percentage and has no units",
        "Leave free_units, quantity_factor and tier_scope blank.",
    )
