"""Well-formed events as arrays of numbers, drawn from their index alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cached_property

import numpy as np

from orchestration.sample_company.roles import Customer
from orchestration.sample_company.shape import (
    MILLIS_PER_DAY,
    Integers,
    Shape,
    Unsigned,
    epoch_millis,
    instant,
    random_bits,
)

COMPLETION, STORAGE, LOGIN = 0, 1, 2
STATUS_OK, STATUS_ERROR, STATUS_RATE_LIMITED, STATUS_ABSENT = 0, 1, 2, 3
# `customer` of an event whose sender is in no catalog.
UNKNOWN = -1

_SLACK_MILLIS = 3 * 3_600_000
_FOREVER = 1 << 60


@dataclass(frozen=True)
class Draws:
    """One value per event; instants in epoch milliseconds, quantities scaled.

    input_tokens and output_tokens are hundredths of a token, gb_hours are millionths.
    """

    transaction: Unsigned
    event_ms: Integers
    received_ms: Integers
    customer: Integers
    by_alias: Integers
    kind: Integers
    model: Integers
    region: Integers
    service_tier: Integers
    project: Integers
    status: Integers
    dry_run: Integers
    number_style: Integers
    stamp_style: Integers
    input_tokens: Integers
    output_tokens: Integers
    gb_hours: Integers

    def __len__(self) -> int:
        return len(self.transaction)


def concatenate(parts: list[Draws]) -> Draws:
    """The events of all parts, in order."""
    return Draws(
        **{
            column.name: np.concatenate([getattr(part, column.name) for part in parts])
            for column in fields(Draws)
        }
    )


class EventSource:
    """Draws events of a day by their position in that day."""

    def __init__(self, shape: Shape, customers: list[Customer]) -> None:
        self.shape = shape
        starts = [customer.active_from for customer in customers]
        ends = [customer.active_until for customer in customers]
        self._active_from = np.array(
            [epoch_millis(moment) if moment else 0 for moment in starts], np.int64
        )
        self._active_until = np.array(
            [epoch_millis(moment) if moment else _FOREVER for moment in ends], np.int64
        )
        self.alias_counts = np.array([len(item.aliases) for item in customers])

    @cached_property
    def _model_bounds(self) -> Integers:
        # Per mille: three well-known models, the preview and the nightly one; any
        # further models share what they take from the three evenly.
        extra = len(self.shape.model_names) - 5
        rest = 950 // (2 if extra else 1)
        weights = [rest * 45 // 95, rest * 30 // 95, rest * 20 // 95]
        weights += [max(1, 475 // extra)] * extra if extra else []
        return np.cumsum(np.array([*weights, 30, 20], np.int64))

    def day_start_ms(self, number: int) -> int:
        """Midnight of the number-th day."""
        return epoch_millis(instant(self.shape.start + timedelta(days=number)))

    def positions(self, number: int, low: int, high: int) -> Integers:
        """On-time positions in [low, high) of a day: all but the late ones."""
        late = self.late_positions(number)
        span = np.arange(low, high, dtype=np.int64)
        return span[~np.isin(span, late)] if len(late) else span

    def late_positions(self, number: int) -> Integers:
        """Positions of a day's events that arrive on a later day."""
        offsets, count = self.shape.late_offsets, self.shape.day_events(number)
        return _spread(int(offsets[number + 1] - offsets[number]), count, 0)

    def resent_positions(self, number: int) -> Integers:
        """Positions of a day's on-time events that are sent a second time."""
        offsets, count = self.shape.duplicate_offsets, self.shape.day_events(number)
        chosen = _spread(int(offsets[number + 1] - offsets[number]), count, 1)
        return np.setdiff1d(chosen, self.late_positions(number))

    def draw(self, number: int, positions: Integers) -> Draws:
        """The events at these positions of the number-th day."""
        shape = self.shape
        index = positions + shape.day_offsets[number]

        def bits(purpose: str) -> Unsigned:
            return random_bits(shape.seed, purpose, index)

        def below(purpose: str, limit: int) -> Integers:
            return (bits(purpose) % np.uint64(limit)).astype(np.int64)

        start_ms = self.day_start_ms(number)
        # Spread over the day in the order of the positions, with jitter.
        within = positions * MILLIS_PER_DAY + below("time", MILLIS_PER_DAY)
        event_ms = start_ms + within // shape.day_events(number)
        # An on-time event arrives within seconds, and on its own day.
        received_ms = np.minimum(
            event_ms + 40 + below("latency", 4_000), start_ms + MILLIS_PER_DAY - 1
        )
        kinds = below("kind", 1000)
        kind = np.where(kinds < 900, COMPLETION, np.where(kinds < 985, STORAGE, LOGIN))
        status = below("status", 1000)
        region = below("region", shape.regions)
        # One event in 2,000 does not say where it ran.
        region[(below("region absent", 2000) == 0) & (kind == COMPLETION)] = (
            shape.regions
        )
        model_bounds = self._model_bounds
        models = below("model", int(model_bounds[-1]))
        factor = shape.volume_factor
        # Products of two uniform draws: many small requests, few very large ones.
        input_bits, output_bits = bits("input"), bits("output")
        failed = (status >= 970) & (status < 998)
        input_tokens = (200 + _product(input_bits, 17)) * factor * 100
        output_tokens = (20 + _product(output_bits, 19)) * factor * 100
        # One in a hundred is weighted for cached tokens and is no whole number.
        fraction = 25 * (1 + below("fraction", 3))
        input_tokens += np.where(below("weighted", 100) == 0, fraction, 0)
        gb_hours = (1_000_000 + below("storage", 249_000_000)) * factor
        return Draws(
            transaction=bits("transaction"),
            event_ms=event_ms,
            received_ms=received_ms,
            customer=self._customers(index, event_ms),
            by_alias=below("alias", 1000),
            kind=kind,
            model=np.searchsorted(model_bounds, models, side="right"),
            region=region,
            service_tier=_skewed(below("tier", 100), shape.service_tiers),
            project=_skewed(below("project", 100), shape.projects),
            status=np.select(
                [status < 970, status < 985, status < 998],
                [STATUS_OK, STATUS_ERROR, STATUS_RATE_LIMITED],
                STATUS_ABSENT,
            ),
            dry_run=(below("dry run", 200) == 0).astype(np.int64),
            number_style=below("number style", 2),
            stamp_style=below("stamp style", 100),
            input_tokens=input_tokens,
            output_tokens=np.where(failed, 0, output_tokens),
            gb_hours=gb_hours,
        )

    def _customers(self, index: Integers, event_ms: Integers) -> Integers:
        shape = self.shape
        pick = random_bits(shape.seed, "customer", index) % np.uint64(
            shape.customer_bounds[-1]
        )
        chosen = np.searchsorted(
            shape.customer_bounds, pick.astype(np.int64), side="right"
        )
        # Away from its contracts a customer uses nothing, except for a few hours on
        # either side, which must come out as usage without a contract.
        other = random_bits(shape.seed, "other customer", index)
        outside = (event_ms < self._active_from[chosen] - _SLACK_MILLIS) | (
            event_ms >= self._active_until[chosen] + _SLACK_MILLIS
        )
        chosen = np.where(outside, (other % np.uint64(4)).astype(np.int64), chosen)
        unknown = random_bits(shape.seed, "unknown", index) % np.uint64(500) == 0
        return np.where(unknown, UNKNOWN, chosen)


def _spread(count: int, total: int, phase: int) -> Integers:
    """`count` distinct positions spread evenly over [0, total)."""
    if not count:
        return np.empty(0, np.int64)
    steps = np.arange(count, dtype=np.int64)
    return (steps * 2 + phase) * total // (2 * count)


def _product(bits: Unsigned, shift: int) -> Integers:
    low, high = bits & np.uint64(0xFFFF), (bits >> np.uint64(20)) & np.uint64(0xFFFF)
    return ((low * high) >> np.uint64(shift)).astype(np.int64)


def _skewed(percent: Integers, choices: int) -> Integers:
    """Choice 0 for 60 %, the others evenly."""
    if choices == 1:
        return np.zeros(len(percent), np.int64)
    return np.where(percent < 60, 0, 1 + (percent - 60) * (choices - 1) // 40)
