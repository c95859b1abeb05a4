"""The metering grain: the step that usage is kept by, and what must stand on it.

The steps themselves are computed in SQL (dbt_project/macros/time.sql). Here the
catalog's instants and time zones are held against them before anything is metered.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

Grain = Literal["hour", "15 minutes", "day"]

# From the finest to the coarsest: length, and how a message says "on it".
LENGTHS: dict[Grain, timedelta] = {
    "15 minutes": timedelta(minutes=15),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
ON_IT: dict[Grain, str] = {
    "15 minutes": "on a quarter of an hour",
    "hour": "on the full hour",
    "day": "at midnight UTC",
}


def is_on(grain: Grain, instant: str) -> str:
    """SQL condition (DuckDB) that a timestamp is the beginning of a step."""
    micros = LENGTHS[grain] // timedelta(microseconds=1)
    return f"epoch_us({instant}) % {micros} = 0"


def finer_than(grain: Grain) -> list[Grain]:
    """The finer grains, the coarsest of them first."""
    grains = list(LENGTHS)
    return grains[: grains.index(grain)][::-1]


@cache
def grain_of_days(zone: str) -> Grain | None:
    """The coarsest grain on which the zone's days begin in winter and in summer; None
    for the few zones that are off every grain.

    Raises:
        ZoneInfoNotFoundError: there is no such zone.
    """
    dates = (datetime(2026, month, 1, tzinfo=ZoneInfo(zone)) for month in (1, 7))
    offsets = [date.utcoffset() or timedelta() for date in dates]
    for grain in reversed(LENGTHS):
        if not any(offset % LENGTHS[grain] for offset in offsets):
            return grain
    return None
