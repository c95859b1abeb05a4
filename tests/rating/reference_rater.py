"""The price models in plain Python decimals, written from their definitions in
docs/pricing.md. No SQL was looked at; keep it short enough to check by reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

ZERO = Decimal(0)


@dataclass(frozen=True)
class Tier:
    """Quantities in (start, end]; end None = without limit."""

    start: Decimal
    end: Decimal | None
    unit_price: Decimal = ZERO
    flat_amount: Decimal = ZERO


@dataclass(frozen=True)
class Rate:
    """A price in the window [starting_at, ending_before)."""

    model: str
    tiers: tuple[Tier, ...]
    starting_at: datetime
    ending_before: datetime | None = None
    package_size: int | None = None
    package_rounding: str = "up"

    def covers(self, at: datetime) -> bool:
        ends = self.ending_before
        return self.starting_at <= at and (ends is None or at < ends)


@dataclass(frozen=True)
class Usage:
    at: datetime
    quantity: Decimal


def price(rate: Rate, quantity: Decimal, total: Decimal) -> Decimal:
    """F(quantity): what a running quantity costs from zero, when the line ends at
    `total`."""
    if rate.model == "volume":
        tier = tier_of(rate, total)
        return quantity * tier.unit_price + tier.flat_amount
    if rate.model == "stairstep":
        return tier_of(rate, quantity).flat_amount
    amount = ZERO
    for number, tier in enumerate(rate.tiers):
        start, end, counted = tier.start, tier.end, quantity
        if number == len(rate.tiers) - 1:
            end = None
        if rate.package_size:
            counted = packages(rate, quantity)
            start /= rate.package_size
            end = None if end is None else end / rate.package_size
        reach = counted if end is None else min(counted, end)
        # Prices go on below zero, flat amounts do not.
        inside = reach if number == 0 else max(reach - start, ZERO)
        amount += inside * tier.unit_price
        if number == 0 or quantity > tier.start:
            amount += tier.flat_amount
    return amount


def packages(rate: Rate, quantity: Decimal) -> Decimal:
    """Whole packages; none at or below zero."""
    assert rate.package_size
    up = rate.package_rounding == "up"
    whole = (max(quantity, ZERO) / rate.package_size).to_integral_value(
        ROUND_CEILING if up else ROUND_FLOOR
    )
    return whole


def tier_of(rate: Rate, quantity: Decimal) -> Tier:
    """The tier that holds a quantity; the last one holds all above it."""
    for tier in rate.tiers[:-1]:
        assert tier.end is not None
        if quantity <= tier.end:
            return tier
    return rate.tiers[-1]


def line_amount(rates: Sequence[Rate], usage: Sequence[Usage]) -> Decimal:
    """Exact amount of a line: what each use adds, at the price of its instant.

    Without usage: the price of nothing, in the first window.
    """
    ordered = sorted(usage, key=lambda use: use.at)
    total = sum((use.quantity for use in ordered), ZERO)
    if not ordered:
        return price(min(rates, key=lambda rate: rate.starting_at), ZERO, ZERO)
    amount, running = ZERO, ZERO
    for number, use in enumerate(ordered):
        (rate,) = [rate for rate in rates if rate.covers(use.at)]
        before = price(rate, running, total) if number else ZERO
        running += use.quantity
        amount += price(rate, running, total) - before
    return amount


def minor_units(amount: Decimal, exponent: int) -> int:
    """Half away from zero."""
    return int(amount.scaleb(exponent).quantize(Decimal(1), ROUND_HALF_UP))
