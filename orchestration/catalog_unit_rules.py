"""What must hold between prices in pricing units, their conversions, and what adds up
amounts of money."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings

_ONE_UNIT = (
    "Amounts of money and of a pricing unit don't add up: leave the product out, or "
    "price it in the card's currency."
)


def check(findings: Findings) -> None:
    """Run every rule."""
    _prices(findings)
    _conversions(findings)
    _reductions(findings)
    _minimums(findings)
    _composites(findings)


def _prices(findings: Findings) -> None:
    """Prices in units as `unit_prices`: of a card, or of one contract's overwrite."""
    findings.con.execute(
        f"""
        create temp view unit_prices as
        select 'rates' as source, r.line, r.rate_id as price_id, r.rate_card_id as card,
            null as contract_id, r.product_id, r.pricing_unit_id,
            r.starting_at_ as starts, coalesce(r.ending_before_, {FOREVER}) as ends
        from rates as r where r.pricing_unit_id is not null
        union all
        select distinct 'overrides', o.line, o.override_id, k.card, o.contract_id,
            s.product_id, o.pricing_unit_id,
            o.starting_at_, coalesce(o.ending_before_, {FOREVER})
        from overrides as o
        join contract_cards as k on o.contract_id = k.contract_id
        join override_specifiers as s on o.override_id = s.override_id
        where o.pricing_unit_id is not null and o.override_type = 'overwrite'
        """
    )
    # A card counts with the terms of those who are billed by it; a price that is over
    # before the contract begins is none of its prices.
    findings.con.execute(
        f"""
        create temp view contract_unit_prices as
        select k.contract_id, p.price_id, p.pricing_unit_id, p.product_id, p.source,
            p.line, k.card, greatest(p.starts, k.starting_at_) as starts,
            least(p.ends, coalesce(k.ending_before_, {FOREVER})) as ends,
            string_split(coalesce(v.tags, ''), '|') as tags
        from unit_prices as p
        join contract_cards as k on p.card = k.card
            and coalesce(p.contract_id, k.contract_id) = k.contract_id
        join products as v on p.product_id = v.product_id
        where p.starts < coalesce(k.ending_before_, {FOREVER})
            and k.starting_at_ < p.ends
        """
    )


def _conversions(findings: Findings) -> None:
    for source in ("rates", "overrides"):
        findings.rows(
            f"catalog/{source}.csv",
            "pricing_unit_id",
            f"""
            select p.line, p.price_id, p.pricing_unit_id, p.card, p.starts
            from unit_prices as p
            join pricing_units as u on p.pricing_unit_id = u.pricing_unit_id
            left join pricing_unit_conversions as c
                on p.card = c.rate_card_id and p.pricing_unit_id = c.pricing_unit_id
            where p.source = '{source}'
            group by all
            having coalesce(min(c.starting_at_) > p.starts, count(c.line) = 0)
            """,
            "'{0}' is priced in '{1}', which has no conversion on rate card '{2}' when "
            "the price starts",
            "Add a row to catalog/pricing_unit_conversions.csv that starts at {3} or "
            "before.",
        )


def _reductions(findings: Findings) -> None:
    """Discounts and maximums that know an amount of money."""
    for table, one, condition, tags in (
        (
            "discounts",
            "discount",
            "(a.discount_type = 'amount' or a.maximum_amount is not null)",
            "a.product_tags",
        ),
        ("maximums", "maximum", "true", "null"),
    ):
        _amounts(findings, table, one, condition, tags)


def _minimums(findings: Findings) -> None:
    _amounts(findings, "minimums", "minimum", "true", "null")


def _amounts(
    findings: Findings, table: str, one: str, condition: str, tags: str
) -> None:
    findings.rows(
        f"catalog/{table}.csv",
        "amount" if table != "discounts" else "amount, maximum_amount",
        f"""
        select a.line, a.{one}_id, p.product_id, min(p.price_id),
            min(p.pricing_unit_id)
        from {table} as a
        join contract_unit_prices as p on a.contract_id = p.contract_id
            and a.starting_at_ < p.ends
            and p.starts < coalesce(a.ending_before_, {FOREVER})
        where {condition}
            and (a.product_ids is null or list_contains(
                list_transform(string_split(a.product_ids, '|'), lambda i: trim(i)),
                p.product_id
            ))
            and ({tags} is null or list_has_all(
                list_transform(p.tags, lambda i: trim(i)),
                list_transform(string_split({tags}, '|'), lambda i: trim(i))
            ))
        group by a.line, a.{one}_id, p.product_id
        """,
        f"the {one} '{{0}}' is an amount of money, and '{{1}}' is priced in '{{3}}' "
        "by '{2}'",
        _ONE_UNIT,
    )


def _composites(findings: Findings) -> None:
    findings.rows(
        "catalog/rates.csv",
        "pricing_unit_id",
        "select distinct r.line, r.rate_id, r.product_id from rates as r "
        "join products as p on r.product_id = p.product_id "
        "where p.product_type = 'COMPOSITE' and r.pricing_unit_id is not null",
        "the rate '{0}' of the composite '{1}' is a share of money",
        "Leave pricing_unit_id blank.",
    )
    findings.rows(
        "catalog/rates.csv",
        "product_id",
        f"""
        with parts as (
            select distinct r.line, r.rate_id, c.product_id as composite, p.price_id,
                p.product_id, p.pricing_unit_id
            from rates as r
            join products as c on r.product_id = c.product_id
            join unit_prices as p on r.rate_card_id = p.card
                and r.starting_at_ < p.ends
                and p.starts < coalesce(r.ending_before_, {FOREVER})
            join products as v on p.product_id = v.product_id
            where c.product_type = 'COMPOSITE' and (
                list_contains(
                    list_transform(
                        string_split(c.composite_product_ids, '|'), lambda i: trim(i)
                    ),
                    p.product_id
                )
                or list_has_all(
                    list_transform(
                        string_split(coalesce(v.tags, ''), '|'), lambda i: trim(i)
                    ),
                    list_transform(
                        string_split(c.composite_tags, '|'), lambda i: trim(i)
                    )
                )
            )
        )
        select line, composite, product_id, min(price_id), min(pricing_unit_id)
        from parts group by line, composite, product_id
        """,
        "the composite '{0}' is a share of money, and its part '{1}' is priced in "
        "'{3}' by '{2}'",
        _ONE_UNIT,
    )
