"""What must hold of subscriptions that cost money: their product, its price, and what
is for usage alone."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings

PRODUCTS = "catalog/products.csv"
SUBSCRIPTIONS = "catalog/subscriptions.csv"
# What a price has beyond a price; the limits of percentages have rules of their own.
_TERMS = (
    "quantity_factor, free_units, free_units_scope, free_units_reset, tier_scope, "
    "event_fee, free_events, event_minimum, event_maximum, price_property, "
    "amount_property"
)
_CHEAPER = "an override makes seats cheaper."


def check(findings: Findings) -> None:
    """Run every rule."""
    _views(findings)
    _products(findings)
    _subscriptions(findings)
    _rates(findings)
    _overwrites(findings)
    _commit_prices(findings)
    _reductions(findings)
    _lines(findings)


def _views(findings: Findings) -> None:
    findings.con.execute(
        """
        create temp view seat_products as
        select v.line, v.product_id, v.tags
        from product_versions as v join products as p on v.line = p.line
        where p.product_type = 'SUBSCRIPTION'
        """
    )
    findings.con.execute(
        f"""
        create temp view charged_seats as
        select s.line, s.subscription_id, s.contract_id, p.product_id, p.tags,
            s.starting_at_ as starts, coalesce(s.ending_before_, {FOREVER}) as ends
        from subscriptions as s join seat_products as p on s.product_id = p.product_id
        """
    )


def _listed(column: str) -> str:
    return f"list_transform(string_split({column}, '|'), lambda i: trim(i))"


def _products(findings: Findings) -> None:
    findings.rows(
        PRODUCTS,
        "product_type",
        """
        select line, product_id from products where product_type = 'SUBSCRIPTION'
            and coalesce(metric_id, pricing_group_keys, presentation_group_keys,
                quantity_conversion, quantity_rounding, conversion_factor,
                rounding_places, composite_product_ids, composite_tags,
                exclude_free_usage) is not null
        """,
        "'{0}' is a SUBSCRIPTION: it is priced by the seat and has no usage",
        "Leave metric_id, the keys, conversion, rounding and the columns of composites "
        "blank, or make it USAGE or COMPOSITE.",
    )
    findings.rows(
        PRODUCTS,
        "product_type",
        """
        select b.line, b.product_id, b.product_type, a.product_type, a.line
        from products as a join products as b
            on a.product_id = b.product_id and a.line < b.line
        where a.product_type <> b.product_type
            and 'SUBSCRIPTION' in (a.product_type, b.product_type)
        """,
        "the product '{0}' is {1} here and {2} in row {3}",
        "A version of a product has the type of the others; give it an id of its own.",
    )
    findings.rows(
        PRODUCTS,
        "composite_product_ids",
        f"""
        select distinct c.line, c.product_id, p.product_id
        from products as c join seat_products as p
            on list_contains({_listed("c.composite_product_ids")}, p.product_id)
        where c.product_type = 'COMPOSITE'
        """,
        "the composite '{0}' is a share of the SUBSCRIPTION '{1}'",
        "Name usage products.",
    )
    findings.rows(
        PRODUCTS,
        "composite_tags",
        f"""
        select distinct c.line, c.product_id, p.product_id
        from products as c join seat_products as p
            on list_has_all(p.tags, {_listed("c.composite_tags")})
        where c.product_type = 'COMPOSITE'
        """,
        "the composite '{0}' is a share of the SUBSCRIPTION '{1}', which has its tags",
        "Name tags that usage products alone have.",
    )


def _subscriptions(findings: Findings) -> None:
    findings.rows(
        SUBSCRIPTIONS,
        "product_id",
        """
        select distinct s.line, s.subscription_id, p.product_id, p.product_type
        from subscriptions as s join products as p on s.product_id = p.product_id
        where p.product_type <> 'SUBSCRIPTION'
        """,
        "the subscription '{0}' has the product '{1}', which is {2}",
        "Name a product of type SUBSCRIPTION, or none: then its seats cost nothing.",
    )
    findings.rows(
        SUBSCRIPTIONS,
        "collection_schedule",
        "select line, subscription_id from subscriptions "
        "where product_id is not null and collection_schedule is null",
        "the subscription '{0}' has a price, and does not say when it is charged",
        "Write ARREARS: with the usage of the same period.",
    )
    findings.rows(
        SUBSCRIPTIONS,
        "collection_schedule",
        "select line, subscription_id from subscriptions "
        "where product_id is not null and collection_schedule = 'ADVANCE'",
        "the subscription '{0}' is charged in advance, which is not built yet",
        "Write ARREARS: with the usage of the same period.",
    )
    for field in ("collection_schedule", "is_prorated"):
        findings.rows(
            SUBSCRIPTIONS,
            field,
            f"select line, subscription_id from subscriptions "
            f"where product_id is null and {field} is not null",
            f"the subscription '{{0}}' has {field}, and no product: it costs nothing",
            "Name the product in product_id, or leave the cell blank.",
        )


def _rates(findings: Findings) -> None:
    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            "catalog/rates.csv",
            field,
            "select distinct r.line, r.rate_id, r.product_id, r.price_model "
            "from rates as r join seat_products as p on r.product_id = p.product_id "
            f"where {condition}",
            f"the rate '{{0}}' of the SUBSCRIPTION '{{1}}' {problem}",
            remedy,
        )

    find(
        "price_model",
        "r.price_model <> 'flat'",
        "is {2}",
        "Make it flat: each seat has one price; a tiered override has several.",
    )
    find(
        "pricing_unit_id",
        "r.price_model = 'flat' and r.pricing_unit_id is not null",
        "is in a pricing unit",
        "Leave pricing_unit_id blank: seats are charged in the card's currency.",
    )
    find(
        "commit_rate",
        "r.price_model = 'flat' and r.commit_rate is not null",
        "has a price for commits",
        "Leave commit_rate blank: commits pay for seats at their list price.",
    )
    find(
        "free_units",
        f"r.price_model = 'flat' and coalesce({_TERMS}, use_list_prices) is not null",
        "has terms of usage",
        "Leave its columns blank but for unit_price.",
    )


def _overwrites(findings: Findings) -> None:
    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            "catalog/overrides.csv",
            field,
            "select distinct o.line, o.override_id, p.product_id, o.price_model "
            "from overrides as o "
            "join override_specifiers as s on o.override_id = s.override_id "
            "join seat_products as p on s.product_id = p.product_id "
            f"where o.override_type = 'overwrite' and {condition}",
            f"the overwrite '{{0}}' of the SUBSCRIPTION '{{1}}' {problem}",
            remedy,
        )

    find("price_model", "o.price_model <> 'flat'", "is {2}", "Make it flat.")
    find(
        "pricing_unit_id",
        "o.price_model = 'flat' and o.pricing_unit_id is not null",
        "is in a pricing unit",
        "Leave pricing_unit_id blank: seats are charged in the card's currency.",
    )
    find(
        "free_units",
        f"o.price_model = 'flat' and coalesce({_TERMS}) is not null",
        "has terms of usage",
        "Leave its columns blank but for unit_price.",
    )


def _commit_prices(findings: Findings) -> None:
    for field, named in (
        ("product_id", "s.product_id = p.product_id"),
        ("product_tags", f"list_has_all(p.tags, {_listed('s.product_tags')})"),
    ):
        findings.rows(
            "catalog/override_specifiers.csv",
            field,
            "select distinct s.line, s.override_id, p.product_id "
            "from override_specifiers as s "
            "join overrides as o on s.override_id = o.override_id "
            f"join seat_products as p on {named} "
            "where (o.is_commit_specific_ or o.target = 'COMMIT_RATE') "
            f"and s.{field} is not null",
            "'{0}' is for what commits pay, and would be for the SUBSCRIPTION '{1}'",
            "Name usage products: commits pay for seats at their list price.",
        )


def _reductions(findings: Findings) -> None:
    """Discounts and maximums take nothing of seats."""
    for table, tags, remedy in (
        (
            "discounts",
            "a.product_tags",
            f"Name its usage products in product_ids; {_CHEAPER}",
        ),
        (
            "maximums",
            "null",
            f"Let it be for usage products, by scope and product_ids; {_CHEAPER}",
        ),
    ):
        one = table.removesuffix("s")
        findings.rows(
            f"catalog/{table}.csv",
            "product_ids",
            f"""
            select distinct a.line, a.{one}_id, p.product_id
            from {table} as a join seat_products as p
                on list_contains({_listed("a.product_ids")}, p.product_id)
            """,
            f"the {one} '{{0}}' is for usage, and names the SUBSCRIPTION '{{1}}'",
            f"Name usage products; {_CHEAPER}",
        )
        findings.rows(
            f"catalog/{table}.csv",
            "product_ids",
            f"""
            select a.line, a.{one}_id, min(s.subscription_id)
            from {table} as a join charged_seats as s
                on a.contract_id = s.contract_id and a.starting_at_ < s.ends
                and s.starts < coalesce(a.ending_before_, {FOREVER})
            where a.product_ids is null
                and ({tags} is null or list_has_all(s.tags, {_listed(tags)}))
            group by a.line, a.{one}_id
            """,
            f"the {one} '{{0}}' is for usage, and would leave out the subscription "
            "'{1}'",
            remedy,
        )


def _lines(findings: Findings) -> None:
    findings.rows(
        "catalog/minimums.csv",
        "scope",
        f"""
        select distinct a.line, a.minimum_id, p.product_id
        from minimums as a join seat_products as p
            on list_contains({_listed("a.product_ids")}, p.product_id)
        where a.scope = 'group'
        """,
        "the minimum '{0}' is for each line of usage, and names the SUBSCRIPTION '{1}'",
        "Make the scope product or contract.",
    )
