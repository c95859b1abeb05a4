"""Customers with contracts, usage and grants, and what must be drawn of the grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.credits.reference_slices import hourly_days, line_slices
from tests.credits.reference_wallet import Charge, Draw, Grant, Segment, Values, draw
from tests.rating.random_contracts import CURRENCIES
from tests.rating.reference_rater import at_12_places, minor_units

OCTOBER, NOVEMBER = datetime(2026, 10, 1), datetime(2026, 11, 1)
DECEMBER = datetime(2026, 12, 1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Product:
    name: str
    kinds: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    # What a composite is a share of: by name, and by tag.
    part_ids: tuple[str, ...] = ()
    part_tag: str = ""
    unit: str = ""

    @property
    def is_composite(self) -> bool:
        return bool(self.part_ids or self.part_tag)


# Names go by another order than ids.
PRODUCTS = {
    "plain": Product("Zebra", tags=frozenset({"red"})),
    "extra": Product("Yak", tags=frozenset({"red", "green"})),
    "kind": Product("Mole", kinds=("a", "b", "c"), tags=frozenset({"red", "blue"})),
    "team": Product("Eel", teams=("x", "y"), tags=frozenset({"blue"})),
    "both": Product("Ant", kinds=("a", "b"), teams=("x", "y")),
    # In a pricing unit: no grant pays it.
    "units": Product("Bee", tags=frozenset({"red"}), unit="credits"),
    "support": Product("Rat", tags=frozenset({"blue"}), part_ids=("plain", "kind")),
    "care": Product("Owl", part_tag="blue"),
}
TAGS = {product: row.tags for product, row in PRODUCTS.items()}
# Two contracts at one time can't have a product in common.
EACH_ITS_OWN = (("plain", "kind", "support"), ("team", "both", "extra", "care"))


@dataclass(frozen=True)
class Line:
    product: str
    pricing_values: Values
    presentation_values: Values
    # Start -> price of a unit, or share of a composite.
    prices: Mapping[datetime, Decimal]
    usage: Sequence[tuple[datetime, Decimal]] = ()


@dataclass(frozen=True)
class Contract:
    contract_id: str
    currency: str
    starting_at: datetime
    ending_before: datetime | None
    is_anchored_at_start: bool
    grace: timedelta
    has_minimum: bool
    lines: Sequence[Line]

    @property
    def period_end(self) -> datetime:
        """Of the period that begins with the contract."""
        end = DECEMBER if self.starting_at >= NOVEMBER else NOVEMBER
        if self.is_anchored_at_start:
            end = self.starting_at.replace(month=11)
        return min(end, self.ending_before or end)


@dataclass(frozen=True)
class Given:
    """A grant as the catalog has it: amounts in whole currency units."""

    grant: Grant
    currency: str
    schedule: Sequence[tuple[Decimal, datetime, datetime | None]]
    # Of a promise: the contract that invoices its true-up, unless it is let go of.
    trueup_contract: str = ""

    def segments(self) -> list[Segment]:
        exponent = CURRENCIES[self.currency]
        return [
            Segment(self.grant, minor_units(amount, exponent), start, end)
            for amount, start, end in self.schedule
        ]


@dataclass
class Account:
    contracts: list[Contract]
    grants: list[Given] = field(default_factory=list)
    # About how many grants share its charges.
    depth: int = 1


def charges_of(contract: Contract, hourly: Set[date] = frozenset()) -> list[Charge]:
    """What grants may pay: usage by slices, and composites."""
    exponent = CURRENCIES[contract.currency]
    charges = []
    for line in contract.lines:
        product = PRODUCTS[line.product]
        if product.unit or not (line.usage or product.is_composite):
            continue
        if product.is_composite:
            last = contract.period_end - timedelta(seconds=1)
            first_price = max(start for start in line.prices if start <= last)
            unit_price = line.prices[first_price]
            share = unit_price * composed(contract, product)
            slices = {last: minor_units(at_12_places(share), exponent)}
        else:
            used = {
                max(start for start in line.prices if start <= at)
                for at, _ in line.usage
            }
            first_price = min(used)
            unit_price = max(line.prices[start] for start in used)
            slices = line_slices(
                line.usage, line.prices, contract.starting_at, hourly, exponent
            )
        charges += [
            Charge(
                contract_id=contract.contract_id,
                closes_at=contract.period_end + contract.grace,
                is_composite=product.is_composite,
                line_start=max(contract.starting_at, first_price),
                unit_price=unit_price,
                product_id=line.product,
                product_name=product.name,
                pricing_values=line.pricing_values,
                presentation_values=line.presentation_values,
                at=at,
                amount=amount,
            )
            for at, amount in slices.items()
            if amount > 0
        ]
    return charges


def composed(contract: Contract, composite: Product) -> Decimal:
    """What the lines cost that a composite is a share of, exactly."""
    return sum(
        (
            quantity * line.prices[max(start for start in line.prices if start <= at)]
            for line in contract.lines
            if line.product in composite.part_ids
            or composite.part_tag in PRODUCTS[line.product].tags
            for at, quantity in line.usage
        ),
        Decimal(0),
    )


def wallets_of(
    account: Account, as_of: datetime = NOVEMBER + HOUR
) -> dict[str, tuple[list[Charge], list[Segment]]]:
    """Currency -> charges, and segments that have begun."""
    segments = [one for given in account.grants for one in given.segments()]
    hourly = hourly_days(segments)
    return {
        currency: (
            [
                charge
                for contract in account.contracts
                if contract.currency == currency
                for charge in charges_of(contract, hourly)
            ],
            [
                segment
                for given in account.grants
                if given.currency == currency
                for segment in given.segments()
                if segment.starting_at <= as_of
            ],
        )
        for currency in CURRENCIES
    }


def expected_draws(
    accounts: Mapping[str, Account], as_of: datetime = NOVEMBER + HOUR
) -> dict[tuple[Any, ...], int]:
    """Customer, grant, start of its segment, line and start of the slice -> minor
    units."""
    return {
        draw_key(customer, one): one.amount
        for customer, account in accounts.items()
        for charges, segments in wallets_of(account, as_of).values()
        for one in draw(charges, segments, TAGS)
    }


def draw_key(customer: str, one: Draw) -> tuple[Any, ...]:
    segment, charge = one.segment, one.charge
    return (
        customer,
        segment.grant.grant_type,
        segment.grant.grant_id,
        segment.starting_at,
        charge.product_id,
        tuple(sorted(charge.pricing_values)),
        tuple(sorted(charge.presentation_values)),
        charge.at,
    )
