"""What a usage line is cut into before grants are drawn on, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import date, datetime, time
from decimal import Decimal

from tests.credits.reference_wallet import Segment
from tests.rating.reference_rater import minor_units


def hourly_days(segments: Iterable[Segment]) -> set[date]:
    """Days within which a segment starts or ends: usage of them is cut by the hour."""
    ends = [
        at
        for segment in segments
        for at in (segment.starting_at, segment.ending_before)
    ]
    return {at.date() for at in ends if at and at.time() != time()}


def line_slices(
    usage: Iterable[tuple[datetime, Decimal]],
    prices: Mapping[datetime, Decimal],
    period_start: datetime,
    hourly: Set[date],
    exponent: int,
) -> dict[datetime, int]:
    """Start -> minor units of each slice of a line: a day or an hour, cut where a price
    (start -> price of a unit) or the period starts. A slice is the difference of the
    rounded running amount, so slices add up to the rounded line."""
    amounts: dict[datetime, Decimal] = defaultdict(Decimal)
    for at, quantity in usage:
        price_start = max(start for start in prices if start <= at)
        hour = at.hour if at.date() in hourly else 0
        step = datetime.combine(at.date(), time(hour))
        start = max(step, price_start, period_start)
        amounts[start] += quantity * prices[price_start]
    running, before, slices = Decimal(0), 0, {}
    for start in sorted(amounts):
        running += amounts[start]
        after = minor_units(running, exponent)
        slices[start], before = after - before, after
    return slices
