"""What grants pay at prices of their own, charge by charge, in plain Python.

Written from the rules in words; no SQL was looked at. One customer, one contract, one
period. Prices and quantities have few enough places that every product is exact at 12
places; instants are UTC without a zone, windows [starting_at, ending_before).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

NEVER = datetime.max
PERIOD_START = datetime(2026, 10, 1)
SMALLEST = Decimal("1e-12")
# Where the step begins -> price of a unit in it.
Steps = Mapping[Decimal, Decimal]


@dataclass(frozen=True)
class Rate:
    """A price of the card, from an instant to that of the next."""

    starting_at: datetime
    steps: Steps
    commit_steps: Steps | None = None


@dataclass(frozen=True)
class Override:
    """`steps` of an overwrite, else a multiplier. The last of a list was added last."""

    starting_at: datetime
    ending_before: datetime
    multiplier: Decimal = Decimal(1)
    steps: Steps | None = None
    targets_commit_rate: bool = False
    is_commit_specific: bool = False
    product_id: str = ""
    grant_ids: frozenset[str] = frozenset()

    def holds(self, product: Product, at: datetime) -> bool:
        return self.starting_at <= at < self.ending_before and self.product_id in (
            "",
            product.product_id,
        )


@dataclass(frozen=True)
class Grant:
    grant_id: str
    grant_type: str
    amount: int
    priority: int
    pays_commit_rate: bool
    starting_at: datetime
    ending_before: datetime
    product_ids: frozenset[str] = frozenset()

    def may_pay(self, product: Product, at: datetime) -> bool:
        return self.starting_at <= at < self.ending_before and (
            not self.product_ids or product.product_id in self.product_ids
        )


@dataclass(frozen=True)
class Product:
    product_id: str
    rates: Sequence[Rate]
    usage: Sequence[tuple[datetime, Decimal]]

    def rate(self, at: datetime) -> Rate:
        return max(
            (rate for rate in self.rates if rate.starting_at <= at),
            key=lambda rate: rate.starting_at,
        )


@dataclass(frozen=True)
class Account:
    exponent: int
    products: Sequence[Product]
    grants: Sequence[Grant]
    overrides: Sequence[Override] = ()

    def burn_order(self) -> list[Grant]:
        return sorted(
            self.grants,
            key=lambda grant: (grant.grant_type == "POSTPAID_COMMIT", grant.priority),
        )

    def list_price(self, product: Product, at: datetime) -> Rate:
        """The price without a grant: an overwrite is one of its own, from its start."""
        rate = product.rate(at)
        chosen = self.chosen(
            [
                override
                for override in self.overrides
                if not override.is_commit_specific
                and not override.targets_commit_rate
                and override.holds(product, at)
            ]
        )
        is_own = chosen is not None and chosen.steps is not None
        start = chosen.starting_at if chosen and is_own else rate.starting_at
        return Rate(start, priced(rate.steps, chosen))

    def own_steps(self, grant: Grant, product: Product, at: datetime) -> Steps | None:
        """What a grant pays, where that is not what the list says."""
        rate = product.rate(at)
        pays_commit_rate = grant.pays_commit_rate and rate.commit_steps is not None
        chosen = self.chosen(
            [
                override
                for override in self.overrides
                if override.targets_commit_rate == pays_commit_rate
                and (override.is_commit_specific or pays_commit_rate)
                and override.holds(product, at)
                and (not override.grant_ids or grant.grant_id in override.grant_ids)
            ]
        )
        if pays_commit_rate:
            assert rate.commit_steps is not None
            return priced(rate.commit_steps, chosen)
        return priced(rate.steps, chosen) if chosen else None

    @staticmethod
    def chosen(overrides: Sequence[Override]) -> Override | None:
        """For commits before for all, an overwrite before a multiplier; of overwrites
        the last, of multipliers the lowest."""
        specific = [row for row in overrides if row.is_commit_specific]
        overrides = specific or overrides
        overwrites = [row for row in overrides if row.steps is not None]
        if overwrites:
            return overwrites[-1]
        return min(overrides, key=lambda row: row.multiplier, default=None)

    def hourly_days(self) -> set[date]:
        ends = [
            at
            for row in [
                *self.grants,
                *(
                    override
                    for override in self.overrides
                    if override.is_commit_specific or override.targets_commit_rate
                ),
            ]
            for at in (row.starting_at, row.ending_before)
        ]
        return {at.date() for at in ends if at != NEVER and at.time() != time()}


def priced(steps: Steps, override: Override | None) -> Steps:
    if override is None:
        return steps
    if override.steps is not None:
        return override.steps
    return {start: price * override.multiplier for start, price in steps.items()}


def price_at(steps: Steps, quantity: Decimal) -> Decimal:
    """The price of the units that follow a running quantity."""
    return steps[max(start for start in steps if start <= quantity)]


def half_up(amount: Fraction) -> int:
    return math.floor(amount + Fraction(1, 2))


def whole(amount: Decimal) -> int:
    return half_up(Fraction(amount))


def share(minor: int, part: Decimal, quantity: Decimal) -> int:
    return half_up(minor * Fraction(part) / Fraction(quantity))


@dataclass
class Piece:
    slice_start: datetime
    quantity: Decimal
    list_minor: int = 0
    # Grant -> what it would pay for all of the piece; a price of zero pays for nothing.
    # None: the slice is whole, everybody
    # pays what the list says.
    costs: dict[str, int] | None = None


@dataclass
class Line:
    product: Product
    minor: int = 0
    # Where the first price starts that it is used at.
    begins: datetime = NEVER
    # The highest price of a unit, or of the first tier.
    dearest: Decimal = Decimal(0)
    pieces: list[Piece] = field(default_factory=list)


@dataclass(frozen=True)
class Draw:
    minor: int
    list_minor: int
    # None where no grant has a price of its own.
    quantity: Decimal | None


def slices(
    account: Account, product: Product
) -> Iterator[tuple[datetime, Decimal, Decimal]]:
    """Start, running quantity before and after; a day or an hour, cut where the list
    changes."""
    hourly = account.hourly_days()
    changes = {rate.starting_at for rate in product.rates} | {
        at
        for override in account.overrides
        if not override.is_commit_specific and not override.targets_commit_rate
        for at in (override.starting_at, override.ending_before)
        if override.product_id in ("", product.product_id)
    }
    sizes: dict[datetime, Decimal] = defaultdict(Decimal)
    for at, quantity in product.usage:
        hour = at.hour if at.date() in hourly else 0
        step = datetime.combine(at.date(), time(hour))
        start = max([step, *(change for change in changes if step < change <= at)])
        sizes[start] += quantity
    running = Decimal(0)
    for start in sorted(sizes):
        yield start, running, running + sizes[start]
        running += sizes[start]


def line(account: Account, product: Product) -> Line:
    factor = Decimal(10) ** account.exponent
    amount = Decimal(0)
    running: dict[str, Decimal] = defaultdict(Decimal)
    found = Line(product)
    for start, before, after in slices(account, product):
        list_price = account.list_price(product, start)
        list_steps = list_price.steps
        found.begins = min(found.begins, list_price.starting_at)
        found.dearest = max(found.dearest, list_steps[Decimal(0)])
        own = {
            grant.grant_id: account.own_steps(grant, product, start)
            for grant in account.grants
        }
        special = [steps for steps in own.values() if steps is not None]
        bounds = {bound for steps in [list_steps, *special] for bound in steps}
        cuts = [before, *sorted(b for b in bounds if before < b < after), after]
        pieces = []
        for begin, end in pairwise(cuts):
            price = price_at(list_steps, begin)
            found.dearest = max(found.dearest, price)
            piece = Piece(start, end - begin)
            minor = whole(amount * factor)
            amount += piece.quantity * price
            piece.list_minor = whole(amount * factor) - minor
            if special:
                piece.costs = {}
                for grant_id, steps in own.items():
                    if steps is None:
                        if price > 0:
                            piece.costs[grant_id] = piece.list_minor
                        continue
                    own_price = price_at(steps, begin)
                    if not own_price:
                        continue
                    minor = whole(running[grant_id] * factor)
                    running[grant_id] += piece.quantity * own_price
                    piece.costs[grant_id] = whole(running[grant_id] * factor) - minor
            pieces.append(piece)
        if not special:
            pieces = [
                Piece(start, after - before, sum(piece.list_minor for piece in pieces))
            ]
        found.pieces += pieces
    found.minor = whole(amount * factor)
    return found


def line_order(found: Line) -> tuple[Any, ...]:
    return max(found.begins, PERIOD_START), -found.dearest, found.product.product_id


Draws = dict[tuple[str, str, datetime], Draw]


def bill(account: Account) -> tuple[Draws, dict[str, int]]:
    """(grant, product, start of the slice) -> what is drawn; product -> its line."""
    lines = [line(account, product) for product in account.products if product.usage]
    balances = {grant.grant_id: grant.amount for grant in account.grants}
    draws: Draws = {}
    billed = {}
    for found in sorted(lines, key=line_order):
        product = found.product
        billed[product.product_id] = found.minor
        for piece in found.pieces:
            paid = pay(account, product, piece, balances)
            for grant_id, draw in paid.items():
                key = (grant_id, product.product_id, piece.slice_start)
                before = draws.get(key)
                if before is not None:
                    assert before.quantity is not None and draw.quantity is not None
                    draw = Draw(
                        before.minor + draw.minor,
                        before.list_minor + draw.list_minor,
                        before.quantity + draw.quantity,
                    )
                draws[key] = draw
            billed[product.product_id] += sum(
                draw.minor - draw.list_minor for draw in paid.values()
            )
    return draws, billed


def pay(
    account: Account, product: Product, piece: Piece, balances: dict[str, int]
) -> dict[str, Draw]:
    """What each grant in turn takes of a charge; balances go down."""
    paid = {}
    left, left_minor = piece.quantity, piece.list_minor
    for grant in account.burn_order():
        balance = balances[grant.grant_id]
        if not balance or not grant.may_pay(product, piece.slice_start):
            continue
        if piece.costs is None:
            drawn = min(left_minor, balance)
            if drawn:
                paid[grant.grant_id] = Draw(drawn, drawn, None)
                left_minor -= drawn
                balances[grant.grant_id] -= drawn
            continue
        if grant.grant_id not in piece.costs or not left:
            continue
        cost = share(piece.costs[grant.grant_id], left, piece.quantity)
        drawn = min(cost, balance)
        taken = left
        if drawn < cost:
            taken = half_up(Fraction(left) * drawn / cost * 10**12) * SMALLEST
        done = piece.quantity - left
        at_list = share(piece.list_minor, done + taken, piece.quantity) - share(
            piece.list_minor, done, piece.quantity
        )
        paid[grant.grant_id] = Draw(drawn, at_list, taken)
        left -= taken
        balances[grant.grant_id] -= drawn
    return paid
