"""The aggregations in plain Python decimals, written from their definitions in
docs/metering.md. No SQL was looked at; keep it short enough to check by reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

ZERO = Decimal(0)
SMALLEST = Decimal("0.000000000001")
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Reading:
    """One event: what it says, when, and its id."""

    at: datetime
    event_id: str
    value: str

    @property
    def number(self) -> Decimal:
        return Decimal(self.value)


def rounded(value: Decimal) -> Decimal:
    """At 12 places, half away from zero."""
    return value.quantize(SMALLEST, ROUND_HALF_UP)


def value_of(aggregation: str, readings: Sequence[Reading]) -> Decimal:
    """The metric's value after these readings; zero before the first."""
    if not readings:
        return ZERO
    numbers = [reading.number for reading in readings]
    match aggregation:
        case "COUNT":
            return Decimal(len(readings))
        case "SUM":
            return sum(numbers, ZERO)
        case "MAX":
            return max(numbers)
        case "MIN":
            return min(numbers)
        case "LATEST":
            return max(readings, key=lambda r: (r.at, r.event_id)).number
        case "UNIQUE":
            return Decimal(len({reading.value for reading in readings}))
        case "AVG":
            return rounded(sum(numbers, ZERO) / len(numbers))
    raise AssertionError(aggregation)


def unit_hours(
    readings: Sequence[Reading], first: datetime, step: timedelta
) -> Decimal:
    """Of one step: the level it began with, and each change for the rest."""
    end = first + step
    before = sum((r.number for r in readings if r.at < first), ZERO)
    within = sum(
        (r.number * micros(end - r.at) for r in readings if first <= r.at < end), ZERO
    )
    return before * micros(step) / micros(HOUR) + rounded(within / micros(HOUR))


def micros(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1))


def increments(
    aggregation: str,
    carries: bool,
    readings: Sequence[Reading],
    start: datetime,
    ends: datetime,
    step: timedelta = HOUR,
) -> dict[datetime, Decimal]:
    """First instant of a step -> by how much it changes the period's value, zeros left
    out.

    `ends` is the first instant that is not counted any more.
    """
    if not carries:
        readings = [r for r in readings if r.at >= start]
    with localcontext(prec=80):
        found = {}
        last = total = ZERO
        for first in (start + step * n for n in range((ends - start) // step)):
            if aggregation == "TIME_WEIGHTED_SUM":
                total += unit_hours(readings, first, step)
                value = rounded(total)
            else:
                value = value_of(
                    aggregation, [r for r in readings if r.at < first + step]
                )
            found[first], last = value - last, value
        return {first: change for first, change in found.items() if change}
