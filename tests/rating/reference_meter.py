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

    @property
    def hour(self) -> datetime:
        return self.at.replace(minute=0, second=0, microsecond=0)


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


def level_hour(
    readings: Sequence[Reading], hour: datetime, start: datetime, carries: bool
) -> Decimal:
    """Unit-hours of one hour: the level it began with, and each change for the rest."""
    before = sum(
        (r.number for r in readings if r.hour < hour and (carries or r.hour >= start)),
        ZERO,
    )
    within = sum(
        (r.number * micros(hour + HOUR - r.at) for r in readings if r.hour == hour),
        ZERO,
    )
    return before + rounded(within / micros(HOUR))


def micros(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1))


def increments(
    aggregation: str,
    carries: bool,
    readings: Sequence[Reading],
    start: datetime,
    ends: datetime,
) -> dict[datetime, Decimal]:
    """Hour -> by how much it changes the period's value, zeros left out.

    `ends` is the first hour that is not counted any more.
    """
    with localcontext(prec=80):
        hours = [start + HOUR * n for n in range((ends - start) // HOUR)]
        found = {}
        last = ZERO
        for hour in hours:
            if aggregation == "TIME_WEIGHTED_SUM":
                found[hour] = level_hour(readings, hour, start, carries)
                continue
            so_far = [
                r for r in readings if r.hour <= hour and (carries or r.hour >= start)
            ]
            value = value_of(aggregation, so_far)
            found[hour], last = value - last, value
        return {hour: change for hour, change in found.items() if change}
