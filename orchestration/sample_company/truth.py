"""What the sample truly contains: counts per kind and exact quantity totals.

The totals come from the drawn numbers, never from the rendered text, so that they are
a second road to the quantities that metering must find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from orchestration.sample_company import enterprise
from orchestration.sample_company.draws import (
    COMPLETION,
    LOGIN,
    STATUS_ERROR,
    STATUS_OK,
    STATUS_RATE_LIMITED,
    STORAGE,
    UNKNOWN,
    Draws,
)
from orchestration.sample_company.roles import Customer
from orchestration.sample_company.shape import Integers, Shape

# Totals are kept for samples a test can walk through; benchmarks do without.
MAX_EVENTS_WITH_TOTALS = 2_000_000
MAX_CELLS = 20_000_000

_TOKEN_SCALE, _STORAGE_SCALE = 2, 6


class Tally:
    """Counts of accepted events and, for samples of moderate size, their totals."""

    def __init__(self, shape: Shape, customers: list[Customer]) -> None:
        self._shape = shape
        self._customers = customers
        self.unknown_customer = 0
        self.unmatched_event_type = 0
        self.without_region = 0
        self.unrated_model = 0
        self.unentitled_model = 0
        span = (len(shape.month_starts), shape.customers)
        grid = (
            *span,
            len(shape.model_names),
            shape.regions + 1,
            len(shape.tier_names),
        )
        self.has_totals = (
            shape.events <= MAX_EVENTS_WITH_TOTALS
            and int(np.prod(grid, dtype=np.int64)) <= MAX_CELLS
        )
        if self.has_totals:
            self._input = np.zeros(grid, np.int64)
            self._output = np.zeros(grid, np.int64)
            self._storage = np.zeros((*span, shape.regions, shape.projects), np.int64)
            self._requests = np.zeros(span, np.int64)
            self._failed = np.zeros(span, np.int64)

    def add(self, month: int, events: Draws) -> None:
        """Count first arrivals that happened in the month-th calendar month."""
        known = events.customer != UNKNOWN
        completion = known & (events.kind == COMPLETION)
        nightly = len(self._shape.model_names) - 1
        self.unknown_customer += int(np.sum(~known))
        self.unmatched_event_type += int(np.sum(known & (events.kind == LOGIN)))
        without_region = completion & (events.region == self._shape.regions)
        self.without_region += int(np.sum(without_region))
        self.unrated_model += int(np.sum(completion & (events.model == nightly)))
        self.unentitled_model += int(np.sum(completion & (events.model == nightly - 1)))
        if not self.has_totals:
            return
        cell = (
            events.customer[completion],
            events.model[completion],
            events.region[completion],
            events.service_tier[completion],
        )
        np.add.at(self._input[month], cell, events.input_tokens[completion])
        np.add.at(self._output[month], cell, events.output_tokens[completion])
        stored = known & (events.kind == STORAGE)
        place = events.customer[stored], events.region[stored], events.project[stored]
        np.add.at(self._storage[month], place, events.gb_hours[stored])
        done = completion & (events.status == STATUS_OK) & (events.dry_run == 0)
        failed = completion & (
            (events.status == STATUS_ERROR) | (events.status == STATUS_RATE_LIMITED)
        )
        np.add.at(self._requests[month], events.customer[done], 1)
        np.add.at(self._failed[month], events.customer[failed], 1)

    def counts(self) -> dict[str, int]:
        """Accepted events of special interest; the kinds overlap."""
        return {
            "unknown_customer": self.unknown_customer,
            "unmatched_event_type": self.unmatched_event_type,
            "without_region": self.without_region,
            "unrated_model": self.unrated_model,
            "unentitled_model": self.unentitled_model,
        }

    def totals(self) -> list[dict[str, Any]] | None:
        """One entry per customer x metric x calendar month x group with usage."""
        if not self.has_totals:
            return None
        shape = self._shape
        tokens = {
            "model": shape.model_names,
            "region": (*shape.region_names, None),
            "service_tier": shape.tier_names,
        }
        places = {"region": shape.region_names, "project": shape.project_names}
        return [
            *enterprise.totals(shape),
            *self._entries("input_tokens", self._input, tokens, _TOKEN_SCALE),
            *self._entries("output_tokens", self._output, tokens, _TOKEN_SCALE),
            *self._entries("storage_gb_hours", self._storage, places, _STORAGE_SCALE),
            *self._entries("api_requests", self._requests, {}, 0),
            *self._entries("failed_requests", self._failed, {}, 0),
        ]

    def _entries(
        self,
        metric_id: str,
        sums: Integers,
        keys: Mapping[str, tuple[str | None, ...]],
        scale: int,
    ) -> Iterator[dict[str, Any]]:
        for cell in np.argwhere(sums):
            month, customer, *group = (int(number) for number in cell)
            yield {
                "customer_id": self._customers[customer].customer_id,
                "metric_id": metric_id,
                "month": self._shape.month_starts[month].strftime("%Y-%m"),
                "group": {
                    key: names[code]
                    for (key, names), code in zip(keys.items(), group, strict=True)
                },
                "quantity": decimal_text(int(sums[tuple(cell)]), scale),
            }


def decimal_text(scaled: int, scale: int) -> str:
    """Exact plain text of scaled x 10^-scale, without trailing zeros."""
    text = format(Decimal(scaled).scaleb(-scale), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
