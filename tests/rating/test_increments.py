"""Random events of many customers in one build: every increment is as the reference
meter has it, and the order and number of landings make no difference."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration.billing_run import (
    BillingRun,
    check_workspace,
    copy_operations,
    land_usage,
)
from orchestration.workspace import Workspace
from tests.rating.reference_meter import Reading, increments
from tests.standing_views import borrow
from tests.support import rows

AGGREGATIONS = (
    *("COUNT", "SUM", "MAX", "MIN", "LATEST", "UNIQUE", "AVG", "TIME_WEIGHTED_SUM"),
)
# metric -> (aggregation, does it carry forward?)
METRICS = {
    f"{name.lower()}{'-on' if carries else ''}": (name, carries)
    for name in AGGREGATIONS
    for carries in (False, True)
    if not (carries and name == "AVG")
}
CUSTOMERS = 40
FIRST = datetime(2026, 9, 28)
START = datetime(2026, 10, 1)
AS_OF = datetime(2026, 10, 6, 7, 25)
# Grain -> its step, and the first instant not counted: the step of the run's instant
# has begun, so it counts.
GRAINS = {
    "15 minutes": (timedelta(minutes=15), datetime(2026, 10, 6, 7, 30)),
    "hour": (timedelta(hours=1), datetime(2026, 10, 6, 8)),
    "day": (timedelta(days=1), datetime(2026, 10, 7)),
}
VALUES = ("0", "1", "-1", "5", "-4.5", "0.000000000001", "-0.000000000001", "7.25")
KINDS = ("a", "b")

LAWS = (
    "law_1_every_event_has_one_fate",
    "law_2_increments_add_up_to_the_metered_value",
    "metered_usage_grain",
    "metered_values_grain",
)

BUILT = ("+usage_by_period", "unmetered_events")

Event = dict[str, Any]
Series = tuple[str, str]


def random_events(dice: random.Random) -> list[Event]:
    """Few hours and few values, so that ties, returns and repeats are many."""
    events = []
    for number in range(CUSTOMERS):
        for event in range(dice.randint(0, 14)):
            at = FIRST + timedelta(
                hours=dice.choice((dice.randint(0, 199), 71, 72, 73, 100)),
                microseconds=dice.choice(
                    (0, 0, 1, 3_599_999_999, 1_800_000_000, dice.randint(0, 3_599_999))
                ),
            )
            events.append(
                {
                    "transaction_id": f"{number}-{event}",
                    "customer_id": f"c{number}",
                    "event_type": "reading",
                    "timestamp": at.isoformat(timespec="microseconds") + "Z",
                    "properties": {
                        "v": dice.choice(VALUES),
                        "kind": dice.choice(KINDS),
                    },
                }
            )
    return events


def write_company(folder: Path, grain: str) -> None:
    """Every metric once for each customer, and once by kind, which nobody is billed."""
    tables: dict[str, list[dict[str, Any]]] = {
        "customers": [
            {"customer_id": f"c{n}", "name": f"c{n}"} for n in range(CUSTOMERS)
        ],
        "contracts": [
            {
                "contract_id": f"c{n}",
                "customer_id": f"c{n}",
                "rate_card_id": "usd",
                "starting_at": START.isoformat() + "Z",
            }
            for n in range(CUSTOMERS)
        ],
        "billable_metrics": [
            {
                "metric_id": metric,
                "name": metric,
                "aggregation": aggregation,
                "aggregation_key": "" if aggregation == "COUNT" else "v",
                "event_types": "reading",
                "group_keys": "kind",
                "carry_forward": "true" if carries else "",
            }
            for metric, (aggregation, carries) in METRICS.items()
        ],
        "products": [
            {
                "product_id": f"{metric}-{key}",
                "name": metric,
                "product_type": "USAGE",
                "metric_id": metric,
                "pricing_group_keys": key,
            }
            for metric in METRICS
            for key in ("", "kind")
        ],
        "rate_cards": [{"rate_card_id": "usd", "name": "usd", "currency": "USD"}],
        "rates": [
            {
                "rate_id": "count",
                "rate_card_id": "usd",
                "product_id": "count-",
                "price_model": "flat",
                "unit_price": "1",
                "starting_at": START.isoformat() + "Z",
            }
        ],
    }
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text(f"metering_grain: {grain}\n")
    for name, table in tables.items():
        with (folder / "catalog" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)


def meter(folder: Path, name: str, events: list[Event]) -> BillingRun:
    """Land one more file and build as far as the increments."""
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events" / f"{name}.ndjson").write_text(lines)
    run = BillingRun(Workspace.load(folder), AS_OF.replace(tzinfo=UTC), backfill=True)
    borrow(run.workspace.warehouse)
    check_workspace(run.workspace)
    land_usage(run)
    copy_operations(run)
    run.dbt.build(BUILT, ("test_type:data",)).raise_for_failures()
    return run


def metered(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        table: rows(folder, f"select * from {table} order by all")
        for table in (
            "metering.metered_usage",
            "metering.metered_values",
            "rating.usage_by_period",
        )
    }


def expected(
    events: list[Event], step: timedelta, ends: datetime
) -> dict[tuple[str, str, str], dict[datetime, Decimal]]:
    """(customer, metric, kind; '' = all kinds) -> its increments."""
    readings: dict[Series, list[Reading]] = defaultdict(list)
    for event in events:
        at = datetime.fromisoformat(event["timestamp"][:-1])
        if at >= AS_OF:
            continue
        reading = Reading(at, event["transaction_id"], event["properties"]["v"])
        for kind in ("", event["properties"]["kind"]):
            readings[event["customer_id"], kind].append(reading)
    found = {
        (customer, metric, kind): increments(*aggregation, of_series, START, ends, step)
        for (customer, kind), of_series in readings.items()
        for metric, aggregation in METRICS.items()
    }
    return {series: changes for series, changes in found.items() if changes}


def found_in(
    folder: Path,
) -> dict[tuple[str, str, str], dict[datetime, Decimal]]:
    found: dict[tuple[str, str, str], dict[datetime, Decimal]] = defaultdict(dict)
    for row in rows(
        folder,
        "select periods.customer_id, usage.* from rating.usage_by_period as usage "
        "inner join rating.billing_periods as periods using (period_id) "
        "where quantity <> 0",
    ):
        kind = json.loads(row["pricing_group_values"]).get("kind", "")
        series = (row["customer_id"], row["metric_id"], kind)
        assert row["usage_hour"] not in found[series]
        found[series][row["usage_hour"]] = row["quantity"]
    return found


@pytest.mark.parametrize("grain", GRAINS)
@settings(
    max_examples=1,
    deadline=None,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
def test_increments_are_as_the_reference_meter_has_them_in_any_order_of_landing(
    tmp_path_factory: Any, grain: str, seed: int
) -> None:
    dice = random.Random(seed)
    events = random_events(dice)
    at_once = tmp_path_factory.mktemp("at-once") / "company"
    write_company(at_once, grain)
    run = meter(at_once, "all", events)
    run.dbt.test(LAWS).raise_for_failures()

    wanted, got = expected(events, *GRAINS[grain]), found_in(at_once)
    wrong = {
        series: (wanted.get(series), got.get(series))
        for series in {*wanted, *got}
        if wanted.get(series) != got.get(series)
    }
    assert wrong == {}
    assert {metric for _, metric, _ in got} == set(METRICS)

    in_parts = tmp_path_factory.mktemp("in-parts") / "company"
    write_company(in_parts, grain)
    dice.shuffle(events)
    cuts = sorted(dice.sample(range(1, len(events)), 2))
    for number, (first, end) in enumerate(
        zip([0, *cuts], [*cuts, len(events)], strict=True)
    ):
        meter(in_parts, f"part-{number}", events[first:end])
    assert metered(in_parts) == metered(at_once)
    # Metering what is known once more gives it once more.
    meter(in_parts, "nothing", [])
    assert metered(in_parts) == metered(at_once)
