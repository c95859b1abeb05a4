"""docs/metering.md is billed: each of its examples, hour by hour."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.rating.metered import (
    OCTOBER,
    hours,
    october_lines,
    run_metered,
    write,
    write_company,
)

PAGE = (Path(__file__).parents[2] / "docs" / "metering.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?:csv|yaml|sql) (\S+)\n(.*?)^```$", re.M | re.S)
HOUR = re.compile(r"^\| (2026-\S+ \d\d:\d\d) \| (-?[0-9.]+) \|", re.M)
QUANTITY = re.compile(r"^Quantity: \*\*(-?[0-9.]+)\*\*$", re.M)
SOURCES = Path(__file__).parents[2] / "dbt_project/models/staging/_catalog__sources.yml"

Table = list[dict[str, str]]


@dataclass(frozen=True)
class Example:
    """A section: its metric, filters and events, what each hour adds, and the sum."""

    metric: dict[str, str]
    filters: Table
    events: Table
    hours: dict[str, Decimal]
    quantity: Decimal


def table(text: str) -> Table:
    return list(csv.DictReader(io.StringIO(text)))


def examples() -> dict[str, Example]:
    found = {}
    for part in PAGE.split("\n## ")[1:]:
        blocks = dict(BLOCK.findall(part))
        if "events" not in blocks:
            continue
        name = part.splitlines()[0].lower().replace(" ", "-").replace("_", "-")
        (metric,) = table(blocks["billable_metrics"])
        [quantity] = QUANTITY.findall(part)
        found[name] = Example(
            metric,
            table(blocks.get("metric_filters", "")),
            table(blocks["events"]),
            {hour: Decimal(adds) for hour, adds in HOUR.findall(part)},
            Decimal(quantity),
        )
    return found


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "company"
    page = examples()
    write_company(
        folder,
        [
            (name, {"metric_id": name, **example.metric, "event_types": name})
            for name, example in page.items()
        ],
    )
    filters = [
        {"metric_id": name, **row}
        for name, example in page.items()
        for row in example.filters
    ]
    write(folder, "metric_filters", filters)
    lines = [
        json.dumps(
            {
                "transaction_id": f"{name}-{number}",
                "customer_id": name,
                "event_type": name,
                "timestamp": event["timestamp"],
                "properties": {"value": event["value"]} if event["value"] else {},
            }
        )
        for name, example in page.items()
        for number, event in enumerate(example.events)
    ]
    (folder / "events" / "usage.ndjson").write_text("\n".join(lines) + "\n")
    run_metered(folder, "2026-10-20", laws=True)
    return folder


def test_each_hour_of_the_page_is_what_is_rated(billed: Path) -> None:
    assert hours(billed) == {name: page.hours for name, page in examples().items()}


def test_each_quantity_of_the_page_is_billed(billed: Path) -> None:
    run_metered(billed, "2026-11-02")
    assert october_lines(billed) == {
        name: (page.quantity, page.quantity) for name, page in examples().items()
    }


def test_each_aggregation_is_on_the_page() -> None:
    listed = re.search(r"values: \[(COUNT[^]]*), SQL\]", SOURCES.read_text())
    assert listed
    names = [name.strip() for name in listed[1].split(",")]
    assert [name.lower().replace("_", "-") for name in names] == [
        name for name in examples() if name not in ("carry-forward", "filters")
    ]
    assert "## SQL metrics" in PAGE


def test_usage_that_was_metered_elsewhere(tmp_path: Path) -> None:
    """12.5 + 7.5 = 20, as events of a mapped file and as rows of a model; a model whose
    granularity is the period has them in its last hour."""
    blocks = dict(BLOCK.findall(PAGE))
    folder = tmp_path / "company"
    model = {"aggregation": "SQL", "aggregation_key": "metered_elsewhere"}
    summed = {"aggregation": "SUM", "aggregation_key": "gigabytes"}
    write_company(
        folder,
        [
            ("acme", {"metric_id": "mapped", **summed}),
            ("acme", {"metric_id": "modelled", **model}),
            (
                "acme",
                {"metric_id": "at-the-end", **model, "granularity": "service_period"},
            ),
        ],
    )
    (folder / "meterhouse.yml").write_text(
        "events: {mapping: mapping.yml}\nmetric_models: [metered_elsewhere]\n"
    )
    (folder / "models").mkdir()
    for name, place in (
        ("metered-october.csv", "events"),
        ("mapping.yml", ""),
        ("metered_elsewhere.sql", "models"),
    ):
        (folder / place / name).write_text(blocks[name])

    run_metered(folder, "2026-10-20")
    used = {"2026-10-05 10:00": Decimal("12.5"), "2026-10-06 10:00": Decimal("7.5")}
    assert hours(folder) == {
        "mapped": used,
        "modelled": used,
        "at-the-end": {**dict.fromkeys(used, Decimal(0)), "2026-10-31 23:00": 20},
    }
    run_metered(folder, "2026-11-02")
    assert october_lines(folder) == dict.fromkeys(
        ("mapped", "modelled", "at-the-end"), (Decimal(20), Decimal(20))
    )
    # dbt writes compiled models somewhere; the workspace's own file is not the place.
    own = (folder / "models" / "metered_elsewhere.sql").read_text()
    assert own == blocks["metered_elsewhere.sql"]


def test_a_metric_is_swapped_by_the_windows_of_two_products(tmp_path: Path) -> None:
    """Until 6 October A: the highest, 5. From then on B, the sum: 5 + 2 + 4 + 4 = 15
    less the 11 of before (a 4 of another type among them) = 4. Together 9.

    Beside them c counts values of at least 4 that are no noise: 5 and the last 4."""
    folder = tmp_path / "company"
    key = {"aggregation_key": "value"}
    write_company(
        folder,
        [
            ("acme", {"metric_id": "a", "aggregation": "MAX", **key}),
            ("acme", {"metric_id": "b", "aggregation": "SUM", **key}),
            (
                "acme",
                {
                    "metric_id": "c",
                    "aggregation": "COUNT",
                    "excluded_event_types": "noise",
                },
            ),
        ],
    )
    at_least = {"operator": "greater_or_equal", "property_values": "4"}
    write(
        folder, "metric_filters", [{"metric_id": "c", "property": "value", **at_least}]
    )
    swap = "2026-10-06T00:00Z"
    rate = {"rate_card_id": "acme", "price_model": "flat", "unit_price": "1"}
    write(
        folder,
        "rates",
        [
            {
                **rate,
                "rate_id": "a",
                "product_id": "a",
                "starting_at": OCTOBER,
                "ending_before": swap,
            },
            {**rate, "rate_id": "b", "product_id": "b", "starting_at": swap},
            {**rate, "rate_id": "c", "product_id": "c", "starting_at": OCTOBER},
        ],
    )
    readings = (
        *(("05T10:00", 5, "use"), ("05T11:00", 2, "use")),
        *(("05T12:00", 4, "noise"), ("06T00:00", 4, "use")),
    )
    (folder / "events" / "usage.ndjson").write_text(
        "".join(
            f'{{"transaction_id":"{at}","customer_id":"acme","event_type":"{kind}",'
            f'"timestamp":"2026-10-{at}:00Z","properties":{{"value":"{value}"}}}}\n'
            for at, value, kind in readings
        )
    )
    run_metered(folder, "2026-11-02")
    assert october_lines(folder) == {"a": (5, 5), "b": (4, 4), "c": (2, 2)}
