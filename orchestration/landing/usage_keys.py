"""What landing has to know of the catalog: the properties that metering looks at."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from orchestration.workspace import Workspace, read_text

# Aggregations that do arithmetic with the property.
NUMERIC = frozenset({"SUM", "MAX", "MIN", "LATEST", "AVG", "TIME_WEIGHTED_SUM"})


@dataclass(frozen=True)
class UsageKeys:
    """`properties` get a flat column each; `numbers` must be exact numbers.

    `numbers` are (property, event types it is a number for; None = all types, event
    types it is none for).
    """

    properties: tuple[str, ...]
    numbers: tuple[tuple[str, tuple[str, ...] | None, tuple[str, ...]], ...]


def usage_keys(workspace: Workspace) -> UsageKeys:
    """Read the metrics, their filters and the products' group keys."""
    metrics = _rows(workspace, "billable_metrics")
    filters = _rows(workspace, "metric_filters")
    products = _rows(workspace, "products")
    keys: set[str] = set()
    numbers: set[tuple[str, tuple[str, ...] | None, tuple[str, ...]]] = set()
    for metric in metrics:
        for compound in _items(metric, "group_keys"):
            keys.update(key.strip() for key in compound.split("+"))
        aggregation, key = metric.get("aggregation"), metric.get("aggregation_key")
        if key and aggregation != "SQL":
            keys.add(key)
        if key and aggregation in NUMERIC:
            included = tuple(sorted(_items(metric, "event_types"))) or None
            excluded = tuple(sorted(_items(metric, "excluded_event_types")))
            numbers.add((key, included, excluded))
    keys.update(row["property"] for row in filters if row.get("property"))
    for product in products:
        keys.update(_items(product, "pricing_group_keys"))
        keys.update(_items(product, "presentation_group_keys"))
    keys.discard("")
    ordered = sorted(numbers, key=lambda item: (item[0], item[1] or (), item[2]))
    return UsageKeys(tuple(sorted(keys)), tuple(ordered))


def _rows(workspace: Workspace, table: str) -> list[dict[str, str]]:
    path = workspace.catalog / f"{table}.csv"
    if not path.exists():
        return []
    reader = csv.DictReader(io.StringIO(read_text(path, workspace.relative(path))))
    return [
        {key: value.strip() for key, value in row.items() if key and value}
        for row in reader
    ]


def _items(row: dict[str, str], column: str) -> list[str]:
    return [item.strip() for item in row.get(column, "").split("|") if item.strip()]
