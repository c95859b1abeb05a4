"""How the charges of a wallet draw on its grants, charge by charge, in plain Python.

Written from the rules in words; no SQL was looked at. Keep it short enough to check by
reading. A wallet is the money of one customer, or of a parent and its children, in one
currency. Amounts are whole minor units, instants UTC without a zone, windows
[starting_at, ending_before).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

Values = frozenset[tuple[str, str]]
# Product -> its tags, for every product that is sold.
Tags = Mapping[str, Set[str]]

NO_VALUES: Values = frozenset()
MORE_THAN_ANY = 10**9
NEVER = datetime.max
BLANK_PRIORITY = {
    "CREDIT": Decimal(50),
    "PREPAID_COMMIT": Decimal(100),
    "POSTPAID_COMMIT": Decimal(100),
}


@dataclass(frozen=True)
class Specifier:
    """Charges that a grant may be spent on: all that it names must hold."""

    product_id: str = ""
    product_tags: frozenset[str] = frozenset()
    pricing_values: Values = NO_VALUES
    presentation_values: Values = NO_VALUES

    @property
    def names_products(self) -> bool:
        return bool(self.product_id or self.product_tags)

    @property
    def has_values(self) -> bool:
        return bool(self.pricing_values or self.presentation_values)

    def products(self, tags: Tags) -> set[str]:
        return {
            product
            for product, its_tags in tags.items()
            if self.product_id in ("", product) and self.product_tags <= its_tags
        }

    def allows(self, charge: Charge, tags: Tags) -> bool:
        return (
            charge.product_id in self.products(tags)
            and not (charge.is_composite and self.has_values)
            and self.pricing_values <= charge.pricing_values
            and self.presentation_values <= charge.presentation_values
        )


@dataclass(frozen=True)
class Grant:
    """A commit or credit. It has at most one of the three kinds of scope; without one,
    it is for every product. Without contracts, it is for all of its customer's: for any
    in the wallet, where the wallet is not a family's."""

    grant_type: str
    grant_id: str
    # The start of its first segment.
    first_start: datetime
    priority: Decimal | None = None
    invoice_amount: Decimal = Decimal(0)
    product_ids: frozenset[str] = frozenset()
    product_tags: frozenset[str] = frozenset()
    specifiers: tuple[Specifier, ...] = ()
    contract_ids: frozenset[str] = frozenset()
    created_at: datetime | None = None
    customer_contracts: frozenset[str] = frozenset()
    # Children that may draw on it, and when: from the first instant to the second.
    children: tuple[tuple[str, datetime, datetime], ...] = ()

    @property
    def is_promise(self) -> bool:
        """What counts towards it is owed all the same."""
        return self.grant_type == "POSTPAID_COMMIT"

    def product_count(self, tags: Tags) -> int:
        """How many products it may be spent on."""
        if self.product_ids:
            return len(self.product_ids)
        if self.product_tags:
            return sum(bool(self.product_tags & its_tags) for its_tags in tags.values())
        if self.specifiers and all(row.names_products for row in self.specifiers):
            return len(set().union(*(row.products(tags) for row in self.specifiers)))
        return MORE_THAN_ANY

    @property
    def usage_count(self) -> int:
        """How many of its specifiers hold group values alone."""
        count = sum(
            row.has_values and not row.names_products for row in self.specifiers
        )
        return count or MORE_THAN_ANY

    def is_for(self, charge: Charge) -> bool:
        """Is the charge of one of its contracts, or of a child that may draw on it?"""
        own = self.contract_ids or self.customer_contracts
        return (
            not own
            or charge.contract_id in own
            or any(
                child == charge.contract_id and start <= charge.at < end
                for child, start, end in self.children
            )
        )

    def allows(self, charge: Charge, tags: Tags) -> bool:
        if not self.is_for(charge):
            return False
        if self.product_ids:
            return charge.product_id in self.product_ids
        if self.product_tags:
            return bool(self.product_tags & tags[charge.product_id])
        if self.specifiers:
            return any(row.allows(charge, tags) for row in self.specifiers)
        return True


@dataclass(frozen=True)
class Segment:
    """A window of a grant's access, with a balance of its own."""

    grant: Grant
    amount: int
    starting_at: datetime
    ending_before: datetime | None

    def allows(self, charge: Charge, tags: Tags) -> bool:
        return self.starting_at <= charge.at < (
            self.ending_before or NEVER
        ) and self.grant.allows(charge, tags)


@dataclass(frozen=True)
class Charge:
    """A slice of a usage line, or a composite. `line_start` is that of the line's first
    price, not before the period; `unit_price` is the line's highest."""

    contract_id: str
    closes_at: datetime
    is_composite: bool
    line_start: datetime
    unit_price: Decimal
    product_id: str
    product_name: str
    pricing_values: Values
    presentation_values: Values
    at: datetime
    amount: int


@dataclass(frozen=True)
class Draw:
    segment: Segment
    charge: Charge
    amount: int


def burn_key(segment: Segment, tags: Tags) -> tuple[Any, ...]:
    """Of two segments the one with the lower key pays first."""
    grant = segment.grant
    return (
        grant.is_promise,
        BLANK_PRIORITY[grant.grant_type] if grant.priority is None else grant.priority,
        grant.invoice_amount > 0,
        grant.product_count(tags),
        0 if grant.is_promise else grant.usage_count,
        segment.ending_before or NEVER,
        segment.starting_at,
        len(grant.contract_ids) or MORE_THAN_ANY,
        grant.created_at or grant.first_start,
        grant.grant_id,
        grant.grant_type,
    )


def charge_key(charge: Charge) -> tuple[Any, ...]:
    """Of two charges the one with the lower key is paid first."""
    return (
        charge.closes_at,
        charge.contract_id,
        charge.is_composite,
        charge.line_start,
        -charge.unit_price,
        charge.product_name,
        as_text(charge.pricing_values),
        as_text(charge.presentation_values),
        charge.at,
    )


def as_text(values: Values) -> str:
    return json.dumps(dict(sorted(values)), separators=(",", ":"))


def burn_order(segments: Iterable[Segment], tags: Tags) -> list[Segment]:
    return sorted(segments, key=lambda segment: burn_key(segment, tags))


def draw(
    charges: Iterable[Charge], segments: Iterable[Segment], tags: Tags
) -> list[Draw]:
    """What each segment pays of each charge of the wallet."""
    return draw_in_order(
        sorted(charges, key=charge_key), burn_order(segments, tags), tags
    )


def draw_in_order(
    charges: Sequence[Charge], segments: Sequence[Segment], tags: Tags
) -> list[Draw]:
    draws = []
    balances = {segment: segment.amount for segment in segments}
    for charge in charges:
        left = charge.amount
        for segment in segments:
            paid = min(left, balances[segment])
            if paid > 0 and segment.allows(charge, tags):
                draws.append(Draw(segment, charge, paid))
                left -= paid
                balances[segment] -= paid
    return draws
