"""Discounts, maximums and minimums in plain Python decimals, written from
docs/limits.md. No SQL was looked at; keep it short enough to check by reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

ZERO = Decimal(0)
WIDTHS = ("group", "product", "contract")


@dataclass(frozen=True)
class Charge:
    """What one hour of usage of one line costs by its price."""

    at: datetime
    product: str
    group: str
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Window:
    """[starts, ends); without products it is for all of the contract."""

    starts: datetime
    ends: datetime
    products: Sequence[str] = ()

    def has(self, at: datetime, product: str) -> bool:
        return self.starts <= at < self.ends and (
            not self.products or product in self.products
        )


@dataclass(frozen=True)
class Discount:
    window: Window
    percentage: Decimal | None = None
    amount: Decimal = ZERO
    maximum_units: Decimal | None = None
    maximum_amount: Decimal | None = None

    @property
    def scope(self) -> str:
        """A plain percentage is rounded line by line."""
        capped = self.maximum_units is not None or self.maximum_amount is not None
        return "contract" if capped or self.percentage is None else "group"

    def taken(self, charge: Decimal) -> Decimal:
        """Of the running charge of the discount's scope."""
        if self.percentage is None:
            return max(ZERO, min(charge, self.amount))
        if self.maximum_amount is not None:
            charge = min(charge, self.maximum_amount)
        return rounded(charge * self.percentage)


@dataclass(frozen=True)
class Limit:
    window: Window
    scope: str
    amount: Decimal
    is_prorated: bool = False

    def within(self, period: Window, full: timedelta) -> Decimal:
        """Its amount in the period."""
        held = min(self.window.ends, period.ends) - max(
            self.window.starts, period.starts
        )
        if not self.is_prorated:
            return self.amount if held > timedelta() else ZERO
        return rounded(self.amount * (held // SECOND) / (full // SECOND))


@dataclass
class Adjusted:
    """(product, group) -> charge; (product, group) -> what is missing to minimums, with
    blanks for what a minimum adds up."""

    charges: dict[tuple[str, str], Decimal] = field(
        default_factory=lambda: defaultdict(Decimal)
    )
    shortfalls: dict[tuple[str, str], Decimal] = field(default_factory=dict)


SECOND = timedelta(seconds=1)


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("1e-12"), ROUND_HALF_UP)


def adjusted(
    charges: Sequence[Charge],
    discounts: Sequence[Discount],
    maximums: Sequence[Limit],
    minimums: Sequence[Limit],
    period: Window,
    full: timedelta,
) -> Adjusted:
    """`full` is the length of the full statement period."""
    with localcontext(prec=80):
        ordered = sorted(charges, key=lambda charge: (charge.at, charge.group))
        left = [charge.amount for charge in ordered]
        for discount in discounts:
            take(
                ordered, left, discount.window, discount.scope, discount.taken, discount
            )
        for width in WIDTHS:
            for limit in maximums:
                if limit.scope == width:
                    most = limit.within(period, full)
                    take(
                        ordered,
                        left,
                        limit.window,
                        width,
                        lambda charge, most=most: max(ZERO, charge - most),
                    )
        found = Adjusted()
        for charge, amount in zip(ordered, left, strict=True):
            found.charges[charge.product, charge.group] += amount
        fall_short(found, ordered, left, minimums, period, full)
        return found


def take(
    charges: Sequence[Charge],
    left: list[Decimal],
    window: Window,
    scope: str,
    taken: Callable[[Decimal], Decimal],
    discount: Discount | None = None,
) -> None:
    running: dict[object, Decimal] = defaultdict(Decimal)
    units = ZERO
    for place, charge in enumerate(charges):
        if not window.has(charge.at, charge.product):
            continue
        part = left[place]
        if discount and discount.maximum_units is not None:
            within = max(ZERO, min(charge.quantity, discount.maximum_units - units))
            units += charge.quantity
            part = rounded(part * within / charge.quantity)
        key = {"contract": "", "product": charge.product}.get(
            scope, (charge.product, charge.group)
        )
        left[place] -= taken(running[key] + part) - taken(running[key])
        running[key] += part


def fall_short(
    found: Adjusted,
    charges: Sequence[Charge],
    left: Sequence[Decimal],
    minimums: Sequence[Limit],
    period: Window,
    full: timedelta,
) -> None:
    """From narrow to wide: a shortfall is a charge of the period's last second."""
    counted = [
        (charge.at, charge.product, charge.group, amount)
        for charge, amount in zip(charges, left, strict=True)
    ]
    for width in WIDTHS:
        missing = []
        for limit in minimums:
            if limit.scope != width:
                continue
            mine = [row for row in counted if limit.window.has(row[0], row[1])]
            targets = {
                "contract": {("", "")},
                "product": {(product, "") for product in limit.window.products},
                "group": {(row[1], row[2]) for row in mine},
            }[width]
            for product, group in targets:
                charge = sum(
                    row[3]
                    for row in mine
                    if product in ("", row[1]) and group in ("", row[2])
                )
                short = limit.within(period, full) - charge
                if short > 0:
                    found.shortfalls[product, group] = short
                    last = period.ends - SECOND
                    missing.append((last, product, group, short))
        counted += missing
