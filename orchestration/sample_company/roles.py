"""The customers of the sample company: who they are and what is special about each.

The largest customers come first. Customers 0 to 13 each show one billing case; the
last two show usage without a contract and a contract that starts off midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.sample_company.shape import Shape, instant

_FIRST = [
    *("Juniper", "Harbor", "Copper", "Lantern", "Meadow", "Cobalt", "Willow"),
    *("Granite", "Saffron", "Orchard", "Pebble", "Summit", "Marlow", "Tundra"),
    *("Velvet", "Quarry"),
]
_SECOND = [
    *("Robotics", "Health", "Legal", "Logistics", "Games", "Research", "Studios"),
    *("Analytics", "Foods", "Travel", "Security", "Media", "Learning"),
]


@dataclass(frozen=True)
class Term:
    """One contract of a customer."""

    contract_id: str
    starting_at: datetime
    ending_before: datetime | None
    billing_day: str = "FIRST_OF_MONTH"


@dataclass(frozen=True)
class Customer:
    """A customer and the terms under which it is billed."""

    number: int
    customer_id: str
    name: str
    segment: str
    aliases: tuple[str, ...]
    currency: str
    billing_profile_id: str
    terms: tuple[Term, ...]
    late_usage_policy: str = ""
    net_payment_terms_days: str = ""

    @property
    def active_from(self) -> datetime | None:
        """Start of the first contract; None without one."""
        return self.terms[0].starting_at if self.terms else None

    @property
    def active_until(self) -> datetime | None:
        """End of the last contract; None when open or without one."""
        return self.terms[-1].ending_before if self.terms else None


def _name(number: int) -> str:
    first = _FIRST[number % len(_FIRST)]
    second = _SECOND[number % len(_SECOND)]
    # 16 x 13 combinations: past them, a number keeps the names apart.
    turn = number // (len(_FIRST) * len(_SECOND))
    return f"{first} {second}" + (f" {turn + 1}" if turn else "")


def _segment(shape: Shape, number: int) -> str:
    enterprises = shape.customers // 10
    if number < max(4, enterprises):
        return "enterprise"
    return "scale" if number < max(14, shape.customers // 3) else "self-serve"


def _currency(number: int) -> str:
    if number % 20 == 5:
        return "JPY"
    return "EUR" if number == 2 or number % 8 == 3 and number > 3 else "USD"


def _profile(number: int, segment: str) -> str:
    if number == 3:
        return "drafts"
    return "invoice30" if segment == "enterprise" or number == 13 else "card"


def _aliases(number: int) -> tuple[str, ...]:
    if number == 0:
        return ("org-0001-prod", "org-0001-dev")
    return (f"org-{number + 1:04d}",) if number % 6 == 2 else ()


def _terms(shape: Shape, number: int) -> tuple[Term, ...]:
    first = f"contract-{number + 1:04d}-a"
    opening = instant(shape.start)
    last = len(shape.month_starts) - 1
    if number == shape.customers - 2:
        return ()  # known, but never signed: usage without a contract
    if number == shape.customers - 1:
        return (Term(first, shape.anchor(1, 11, 9), None),)
    if number == 4:  # renewed in the middle of a month
        renewal = shape.anchor(1, 16)
        second = f"contract-{number + 1:04d}-b"
        return Term(first, opening, renewal), Term(second, renewal, None)
    if number == 7:
        return (Term(first, opening, shape.anchor(last, 20, 18)),)
    if number == 8:
        return (Term(first, shape.anchor(0, 12), None, "CONTRACT_START"),)
    if number == 9:
        return (Term(first, shape.anchor(0, 15), None),)
    if number == 11:
        # Day 31 exists in August and not in September: the anchor has to clamp.
        month_end = instant(shape.start) + timedelta(days=30)
        return (Term(first, month_end, None, "CONTRACT_START"),)
    if number >= 14 and number % 10 == 6:
        day = 2 + number % 25
        return (Term(first, shape.anchor(0, day), None, "CONTRACT_START"),)
    return (Term(first, opening, None),)


def customer(shape: Shape, number: int) -> Customer:
    """The number-th customer, 0 being the largest."""
    segment = _segment(shape, number)
    return Customer(
        number=number,
        customer_id=f"customer-{number + 1:04d}",
        name=_name(number),
        segment=segment,
        aliases=_aliases(number),
        currency=_currency(number),
        billing_profile_id=_profile(number, segment),
        terms=_terms(shape, number),
        late_usage_policy={12: "ignore", 13: "correction_invoice"}.get(number, ""),
        net_payment_terms_days="45" if number == 13 else "",
    )


def all_customers(shape: Shape) -> list[Customer]:
    """Every customer, largest first."""
    return [customer(shape, number) for number in range(shape.customers)]
