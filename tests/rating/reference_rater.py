"""The rules of rating in plain Python decimals, written from docs/pricing.md. No SQL
was looked at; keep it short enough to check by reading."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
)
from zoneinfo import ZoneInfo

ZERO, ONE = Decimal(0), Decimal(1)
PLACES = Decimal("1e-12")
ROUNDINGS = {"up": ROUND_UP, "down": ROUND_DOWN, "half_up": ROUND_HALF_UP}


@dataclass(frozen=True)
class Tier:
    """Quantities in (start, end]; end None = without limit."""

    start: Decimal
    end: Decimal | None
    unit_price: Decimal = ZERO
    flat_amount: Decimal = ZERO


@dataclass(frozen=True)
class Rate:
    """A price in the window [starting_at, ending_before), for the pricing values that
    `values` names (none = the default)."""

    model: str
    tiers: tuple[Tier, ...]
    starting_at: datetime
    ending_before: datetime | None = None
    package_size: int | None = None
    package_rounding: str = "up"
    quantity_factor: Decimal = ONE
    free_units: Decimal = ZERO
    free_units_scope: str = "line"
    free_units_reset: str = "period"
    tier_scope: str = "line"
    event_fee: Decimal | None = None
    free_events: int | None = None
    event_minimum: Decimal | None = None
    event_maximum: Decimal | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    def covers(self, at: datetime) -> bool:
        return covers(self, at)


@dataclass(frozen=True)
class Override:
    """What a contract changes in the prices for `values`: `bands` of quantity (start,
    end, multiplier), or `price`, a price of its own."""

    starting_at: datetime
    ending_before: datetime | None = None
    bands: tuple[tuple[Decimal, Decimal | None, Decimal], ...] = ()
    price: Rate | None = None
    priority: Decimal = ZERO
    added_at: datetime = datetime(2026, 1, 1)
    values: Mapping[str, str] = field(default_factory=dict)
    shown_values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Product:
    """How metered quantities become billed ones."""

    multiply: Decimal = ONE
    divide: Decimal = ONE
    rounding: str | None = None
    places: int = 0


@dataclass(frozen=True)
class Usage:
    """`price` of a unit or `amount` are what a dynamic price takes from the event."""

    at: datetime
    quantity: Decimal
    price: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True)
class Line:
    """Usage of one combination of pricing and presentation values."""

    usage: Sequence[Usage]
    values: Mapping[str, str] = field(default_factory=dict)
    shown_values: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> tuple[str, str]:
        """What decides the order of lines within an hour."""
        return json.dumps(dict(self.values)), json.dumps(dict(self.shown_values))


def covers(window: Rate | Override, at: datetime) -> bool:
    ends = window.ending_before
    return window.starting_at <= at and (ends is None or at < ends)


def is_for(wanted: Mapping[str, str], values: Mapping[str, str]) -> bool:
    return all(values.get(key) == value for key, value in wanted.items())


def is_per_event(rate: Rate) -> bool:
    terms = (rate.event_fee, rate.free_events, rate.event_minimum, rate.event_maximum)
    return rate.model == "dynamic" or any(term is not None for term in terms)


def choose(
    rates: Sequence[Rate],
    overrides: Sequence[Override],
    line: Line,
    at: datetime,
    use: Usage | None = None,
) -> Rate:
    """The one price of an instant: an overwrite (the last added), else the rate that
    names most values, times the multiplier with the lowest priority. A dynamic price is
    the event's own."""
    mine = [
        o
        for o in overrides
        if covers(o, at)
        and is_for(o.values, line.values)
        and is_for(o.shown_values, line.shown_values)
    ]
    overwrites = [o for o in mine if o.price]
    if overwrites:
        price = max(overwrites, key=lambda o: o.added_at).price
        assert price
        return with_own_price(price, use)
    rate = max(
        (r for r in rates if covers(r, at) and is_for(r.values, line.values)),
        key=lambda r: len(r.values),
    )
    rate = with_own_price(rate, use)
    if not mine:
        return rate
    return multiplied(rate, min(mine, key=lambda o: o.priority))


def with_own_price(rate: Rate, use: Usage | None) -> Rate:
    if rate.model != "dynamic" or use is None or use.price is None:
        return rate
    return replace(rate, tiers=(Tier(ZERO, None, use.price),))


def multiplied(rate: Rate, override: Override) -> Rate:
    """The rate's tiers cut at the override's bands; a flat amount stays with the
    beginning of its tier, amounts of events have the first band's multiplier."""
    tiers = []
    for number, tier in enumerate(rate.tiers):
        tier_end = None if number == len(rate.tiers) - 1 else tier.end
        for start, end, multiplier in override.bands:
            ends = [e for e in (tier_end, end) if e is not None]
            piece_start = max(tier.start, start)
            piece_end = min(ends) if ends else None
            if piece_end is None or piece_start < piece_end:
                flat = tier.flat_amount if piece_start == tier.start else ZERO
                tiers.append(
                    Tier(
                        piece_start,
                        piece_end,
                        at_12_places(tier.unit_price * multiplier),
                        at_12_places(flat * multiplier),
                    )
                )
    first = override.bands[0][2]

    def scaled(amount: Decimal | None) -> Decimal | None:
        return None if amount is None else at_12_places(amount * first)

    return replace(
        rate,
        tiers=tuple(tiers),
        event_fee=scaled(rate.event_fee),
        event_minimum=scaled(rate.event_minimum),
        event_maximum=scaled(rate.event_maximum),
    )


def at_12_places(number: Decimal) -> Decimal:
    return number.quantize(PLACES, ROUND_HALF_UP)


def billed(product: Product, rate: Rate, metered: Decimal) -> Decimal:
    """Conversion and factor, then rounding."""
    quantity = at_12_places(
        metered * product.multiply * rate.quantity_factor / product.divide
    )
    if product.rounding:
        step = ONE.scaleb(-product.places)
        quantity = quantity.quantize(step, ROUNDINGS[product.rounding])
    return quantity


def price(rate: Rate, quantity: Decimal, total: Decimal) -> Decimal:
    """F(quantity): what a running quantity costs from zero, when it ends at `total`."""
    if rate.model == "volume":
        tier = tier_of(rate, total)
        return at_12_places(quantity * tier.unit_price) + tier.flat_amount
    if rate.model == "stairstep":
        return tier_of(rate, quantity).flat_amount
    amount = ZERO
    for number, tier in enumerate(rate.tiers):
        start, end, counted = tier.start, tier.end, quantity
        if number == len(rate.tiers) - 1:
            end = None
        if rate.package_size:
            counted = packages(rate, quantity)
            start = (start / rate.package_size).to_integral_value(ROUND_CEILING)
            if end is not None:
                end = (end / rate.package_size).to_integral_value(ROUND_CEILING)
        reach = counted if end is None else min(counted, end)
        # Prices go on below zero, flat amounts do not.
        inside = reach if number == 0 else max(reach - start, ZERO)
        amount += at_12_places(inside * tier.unit_price)
        if number == 0 or quantity > tier.start:
            amount += tier.flat_amount
    return amount


def packages(rate: Rate, quantity: Decimal) -> Decimal:
    """Whole packages; none at or below zero."""
    assert rate.package_size
    up = rate.package_rounding == "up"
    return (max(quantity, ZERO) / rate.package_size).to_integral_value(
        ROUND_CEILING if up else ROUND_FLOOR
    )


def tier_of(rate: Rate, quantity: Decimal) -> Tier:
    """The tier that holds a quantity; the last one holds all above it."""
    for tier in rate.tiers[:-1]:
        assert tier.end is not None
        if quantity <= tier.end:
            return tier
    return rate.tiers[-1]


def free_part(quantity: Decimal, free: Decimal) -> Decimal:
    return max(min(quantity, free), ZERO)


def counts_alone(rate: Rate) -> bool:
    """Do free units and tiers count for each line and period by itself?"""
    terms = (rate.free_units_scope, rate.free_units_reset, rate.tier_scope)
    return terms == ("line", "period", "line") and rate.free_events is None


def event_amount(rate: Rate, step_amount: Decimal, use: Usage) -> Decimal:
    """What an event costs that is not free."""
    amount = step_amount + (use.amount or ZERO) + (rate.event_fee or ZERO)
    if rate.event_minimum is not None:
        amount = max(amount, rate.event_minimum)
    if rate.event_maximum is not None:
        amount = min(amount, rate.event_maximum)
    return amount


def line_amounts(
    product: Product,
    rates: Sequence[Rate],
    lines: Sequence[Line],
    overrides: Sequence[Override] = (),
    zone: str = "UTC",
    period_start: datetime = datetime(2026, 10, 1),
) -> list[tuple[Decimal, Decimal]]:
    """(billed quantity, exact amount) of each line of a product in a period: what each
    use adds, at the price of its instant, in the order of hours and then of the groups.

    A line without usage: the price of nothing, in the first window.
    """
    uses = []
    for n, line in enumerate(lines):
        for use in line.usage:
            hour = use.at.replace(minute=0, second=0)
            rate = choose(rates, overrides, line, hour, use)
            at = use.at if is_per_event(rate) else hour
            uses.append((at, line.group, n, use, rate))
    uses.sort(key=lambda item: item[:3])
    # Running metered quantities of lines, and billed ones in each scope of free units.
    metered = dict.fromkeys(range(len(lines)), ZERO)
    allowed: defaultdict[tuple[object, ...], Decimal] = defaultdict(lambda: ZERO)
    events = dict.fromkeys(range(len(lines)), 0)
    steps: list[tuple[int, Rate, Decimal, Decimal, Decimal, Usage | None]] = []
    for at, _, n, use, rate in uses:
        before = billed(product, rate, metered[n])
        metered[n] += use.quantity
        after = billed(product, rate, metered[n])
        utc = at.replace(tzinfo=ZoneInfo("UTC"))
        day = utc.astimezone(ZoneInfo(zone)).date()
        scopes = {
            ("line", "period"): (n,),
            ("line", "day"): (n, day),
            ("product", "period"): ("product",),
            ("product", "day"): ("product", day),
        }
        for scope in scopes.values():
            allowed[scope] += after - before
        upto = allowed[scopes[rate.free_units_scope, rate.free_units_reset]]
        if counts_alone(rate):
            upto = after
        free = free_part(upto, rate.free_units)
        free -= free_part(upto - (after - before), rate.free_units)
        paid = None
        if is_per_event(rate):
            events[n] += 1
            if events[n] <= (rate.free_events or 0):
                free = after - before
            elif free == 0 or free != after - before:
                paid = use
        steps.append((n, rate, before, after, after - before - free, paid))
    totals: defaultdict[object, Decimal] = defaultdict(lambda: ZERO)
    for n, _, _, _, billable, _ in steps:
        totals[n] += billable
        totals["product"] += billable
    quantities = [ZERO for _ in lines]
    amounts = [ZERO for _ in lines]
    running: defaultdict[object, Decimal] = defaultdict(lambda: ZERO)
    begun: set[object] = set()
    for n, rate, before, after, billable, paid in steps:
        scope: object = "product" if rate.tier_scope == "product" else n
        start, end, total = running[scope], running[scope] + billable, totals[scope]
        if counts_alone(rate):
            start = before - free_part(before, rate.free_units)
            end = after - free_part(after, rate.free_units)
            final = billed(product, rate, metered[n])
            total = final - free_part(final, rate.free_units)
        quantities[n] += after - before
        amount = price(rate, end, total)
        if scope in begun:
            amount -= price(rate, start, total)
        amounts[n] += event_amount(rate, amount, paid) if paid else amount
        for each in (n, "product"):
            running[each] += billable
            begun.add(each)
    for n, line in enumerate(lines):
        if not line.usage:
            amounts[n] = price(choose(rates, overrides, line, period_start), ZERO, ZERO)
    return list(zip(quantities, amounts, strict=True))


def minor_units(amount: Decimal, exponent: int) -> int:
    """Half away from zero."""
    return int(amount.scaleb(exponent).quantize(Decimal(1), ROUND_HALF_UP))
