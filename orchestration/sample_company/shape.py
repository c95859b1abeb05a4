"""The size and the shape of a sample company, and its random numbers.

Every random value is a pure function of (seed, event index, purpose), computed with
integer arithmetic only. So a day can be generated in chunks of any size, a re-sent
event can be rebuilt without having kept it, and two machines agree on every byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

Unsigned = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]

MILLIS_PER_DAY = 86_400_000
# The window of design §2; lateness and re-sends stay inside it (see `effective_lag`).
WINDOW_DAYS = 34
GRACE = timedelta(hours=24)

MIN_CUSTOMERS = 16  # the roles of roles.py need this many
MAX_CUSTOMERS = 100_000
MAX_EVENTS = 200_000_000

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _scramble(value: int) -> int:
    """One SplitMix64 step on a Python integer."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def random_bits(seed: int, purpose: str, index: Integers) -> Unsigned:
    """64 random bits per index; a bijection of the index for a given purpose."""
    key = _scramble(seed & _MASK)
    for character in purpose:
        key = _scramble(key ^ ord(character))
    value = index.astype(np.uint64) + np.uint64(key)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def first_of_month(day: date, shift: int = 0) -> date:
    """The first day of the month `shift` months after the month of `day`."""
    month = day.year * 12 + day.month - 1 + shift
    return date(month // 12, month % 12 + 1, 1)


def instant(day: date, hour: int = 0) -> datetime:
    """Midnight UTC of a day, plus whole hours."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def epoch_millis(moment: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def close_day(day: date) -> date:
    """The day at whose start the calendar month of `day` may be closed (grace 24 h)."""
    return first_of_month(day, 1) + timedelta(days=1)


def effective_lag(day: date, lag: int) -> int:
    """How many days after `day` an event meant to be `lag` days late arrives.

    An event that misses the close of its month lands with the next close, when one
    lands month by month. If it would then be older than the window, it would be
    rejected there but not in a daily run; such an event comes one day late instead,
    so that the truth does not depend on how often one lands.
    """
    close = close_day(day)
    if day + timedelta(days=lag) < close:
        return lag
    next_landing = close_day(close)
    return lag if day >= next_landing - timedelta(days=WINDOW_DAYS) else 1


def _names(known: tuple[str, ...], count: int, prefix: str) -> tuple[str, ...]:
    extra = (f"{prefix}-{number:02d}" for number in range(len(known) + 1, count + 1))
    return (*known[:count], *extra)


@dataclass(frozen=True)
class Shape:
    """What to generate: sizes, span, cardinalities. Validated on creation.

    `events` counts distinct, well-formed transactions; duplicates and malformed rows
    come on top. `models` counts the models with a normal price; a preview model (rate
    not entitled) and a nightly one (no rate at all) always come on top.
    """

    events: int
    seed: int
    start: date
    months: int
    customers: int
    days: int | None = None
    models: int = 3
    regions: int = 3
    service_tiers: int = 3
    projects: int = 6

    def __post_init__(self) -> None:
        limits = {
            "events": (1_000, MAX_EVENTS),
            "customers": (MIN_CUSTOMERS, MAX_CUSTOMERS),
            "months": (1, 36),
            "models": (3, 200),
            "regions": (1, 100),
            "service_tiers": (1, 20),
            "projects": (1, 1_000),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between {low} and {high}")
        if self.days is not None and not 1 <= self.days <= 1_100:
            raise ValueError("days must be between 1 and 1100")
        if self.start.day != 1:
            raise ValueError("start must be the first day of a month")

    @cached_property
    def end(self) -> date:
        """First day after the span."""
        if self.days is not None:
            return self.start + timedelta(days=self.days)
        return first_of_month(self.start, self.months)

    @cached_property
    def day_count(self) -> int:
        """Days on which usage happens."""
        return (self.end - self.start).days

    @cached_property
    def month_starts(self) -> tuple[date, ...]:
        """First day of every calendar month the span touches."""
        last = self.end - timedelta(days=1)
        span = (last.year - self.start.year) * 12 + last.month - self.start.month
        return tuple(first_of_month(self.start, shift) for shift in range(span + 1))

    def anchor(self, month: int, day: int, hour: int = 0) -> datetime:
        """An instant in the month-th month (0-based; the last one if there are fewer).

        `day` counts from 1 and must be at most 28.
        """
        start = self.month_starts[min(month, len(self.month_starts) - 1)]
        return instant(start.replace(day=day), hour)

    @cached_property
    def volume_factor(self) -> int:
        """Multiplies quantities of small samples so that invoices stay worth reading.

        1 from a million events on; 100 at ten thousand.
        """
        return max(1, 1_000_000 // self.events)

    @cached_property
    def model_names(self) -> tuple[str, ...]:
        """Priced models, then the preview model, then the one without a rate."""
        known = ("nw-small", "nw-medium", "nw-large")
        return (*_names(known, self.models, "nw-model"), "nw-preview", "nw-nightly")

    @cached_property
    def region_names(self) -> tuple[str, ...]:
        """Regions; the event code one past the end means: not sent."""
        return _names(("us", "eu", "ap"), self.regions, "region")

    @cached_property
    def tier_names(self) -> tuple[str, ...]:
        """Service tiers."""
        return _names(("standard", "priority", "batch"), self.service_tiers, "tier")

    @cached_property
    def project_names(self) -> tuple[str, ...]:
        """Projects; every customer uses the same names."""
        return tuple(f"project-{number}" for number in range(1, self.projects + 1))

    @cached_property
    def day_offsets(self) -> Integers:
        """Index of each day's first event; one entry more than there are days.

        Usage grows by half over the span, and weekends are quieter.
        """
        weights = [
            (1_000 + 500 * number // self.day_count)
            * (60 if (self.start + timedelta(days=number)).weekday() >= 5 else 100)
            for number in range(self.day_count)
        ]
        return _share_out(self.events, weights)

    @cached_property
    def late_offsets(self) -> Integers:
        """Number of late events before each day: 0.5 %, more at the end of a month."""
        weights = []
        for number in range(self.day_count):
            day = self.start + timedelta(days=number)
            near_close = (first_of_month(day, 1) - day).days <= 3
            weights.append(self.day_events(number) * (5 if near_close else 1))
        return _share_out(max(30, self.events // 200), weights)

    @cached_property
    def duplicate_offsets(self) -> Integers:
        """Number of re-sent events before each day: about 1 %."""
        weights = [self.day_events(number) for number in range(self.day_count)]
        return _share_out(max(40, self.events // 100), weights)

    @cached_property
    def malformed_offsets(self) -> Integers:
        """Number of malformed rows before each day: about 0.2 %."""
        weights = [self.day_events(number) for number in range(self.day_count)]
        return _share_out(max(60, self.events // 500), weights)

    def day_events(self, number: int) -> int:
        """Distinct events that happen on the number-th day (0-based)."""
        return int(self.day_offsets[number + 1] - self.day_offsets[number])

    @cached_property
    def customer_bounds(self) -> Integers:
        """Cumulative integer weights of the customers, 1/rank (Zipf)."""
        ranks = np.arange(1, self.customers + 1, dtype=np.int64)
        return np.cumsum(np.int64(10**12) // ranks)

    def customer_share(self, customer: int) -> float:
        """Expected share of all events; for sizing grants and tiers only."""
        bounds = self.customer_bounds
        before = int(bounds[customer - 1]) if customer else 0
        return (int(bounds[customer]) - before) / int(bounds[-1])


def _share_out(total: int, weights: list[int]) -> Integers:
    """Cumulative whole shares of `total`, proportional to the weights."""
    whole, running, offsets = sum(weights), 0, [0]
    for weight in weights:
        running += weight
        offsets.append(total * running // whole)
    return np.array(offsets, dtype=np.int64)
