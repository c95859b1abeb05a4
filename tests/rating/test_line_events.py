"""What `meterhouse events LINE` lists: the share of each row, worked out by hand, and
the law that shares add up to the line, for random events of every aggregation.

October of each line is billed: in the middle of the month, closed, and after usage of
before and within the closed month came late.
"""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.dbt_runner import Dbt
from orchestration.workspace import Workspace
from tests.rating.metered import OCTOBER, Row, append, run_metered, write, write_company
from tests.rating.test_increments import METRICS, VALUES
from tests.support import rows

HALF = "2026-10-31T00:00Z"
CARRIED = "carried in from before the period"
CUSTOMERS = 8

# customer = metric -> how it is metered, and its events: instant -> value.
METERED: dict[str, tuple[Row, dict[str, str]]] = {
    "seats": (
        {"aggregation": "TIME_WEIGHTED_SUM", "carry_forward": "true"},
        {
            "09-20T00:00": "5",
            "09-25T00:00": "-2",
            "10-30T12:00": "4",
            "10-31T18:30": "-7",
        },
    ),
    "fresh-seats": (
        {"aggregation": "TIME_WEIGHTED_SUM"},
        {"09-20T00:00": "5", "10-30T12:00": "4", "10-31T18:30": "-7"},
    ),
    "latest": (
        {"aggregation": "LATEST", "carry_forward": "true"},
        {"09-20T00:00": "8", "10-05T10:00": "3"},
    ),
    "max": (
        {"aggregation": "MAX", "carry_forward": "true"},
        {"09-20T00:00": "8", "10-05T10:00": "3", "10-06T10:00": "10"},
    ),
    "unique": (
        {"aggregation": "UNIQUE", "carry_forward": "true"},
        {
            "09-20T00:00": "anna",
            "09-21T00:00": "ben",
            "10-05T10:00": "anna",
            "10-06T10:00": "chris",
        },
    ),
    "by-four": (
        {"aggregation": "SUM", "carry_forward": "true"},
        {"09-20T00:00": "5", "10-05T10:00": "3"},
    ),
    "gap": (
        {"aggregation": "MAX"},
        {"10-05T10:00": "4", "10-15T10:00": "9", "10-25T10:00": "10"},
    ),
}

# line -> its rows: source, event, instant, rate, metered share, share
EXPECTED: dict[str, list[tuple[str, ...]]] = {
    # 3 × 708 hours; 5 − 2 + 4 = 7 for 12 hours, and for 18.5 at the next rate; then 0.
    "seats": [
        (CARRIED, "", "10-01T00:00", "seats", "2124", "2124"),
        ("event", "10-30T12:00", "10-30T12:00", "seats", "84", "84"),
        ("event", "10-30T12:00", "10-30T12:00", "seats-2", "129.5", "129.5"),
        ("event", "10-31T18:30", "10-31T18:30", "seats-2", "0", "0"),
    ],
    # 4 × 12, 4 × 18.5; 4 − 7 = −3 for the last 5.5 hours.
    "fresh-seats": [
        ("event", "10-30T12:00", "10-30T12:00", "fresh-seats", "48", "48"),
        ("event", "10-30T12:00", "10-30T12:00", "fresh-seats-2", "74", "74"),
        ("event", "10-31T18:30", "10-31T18:30", "fresh-seats-2", "-16.5", "-16.5"),
    ],
    "latest": [
        (CARRIED, "", "10-01T00:00", "latest", "8", "8"),
        ("event", "10-05T10:00", "10-05T10:00", "latest", "-5", "-5"),
    ],
    "max": [
        (CARRIED, "", "10-01T00:00", "max", "8", "8"),
        ("event", "10-05T10:00", "10-05T10:00", "max", "0", "0"),
        ("event", "10-06T10:00", "10-06T10:00", "max", "2", "2"),
    ],
    # Anna and Ben are known.
    "unique": [
        (CARRIED, "", "10-01T00:00", "unique", "2", "2"),
        ("event", "10-05T10:00", "10-05T10:00", "unique", "0", "0"),
        ("event", "10-06T10:00", "10-06T10:00", "unique", "1", "1"),
    ],
    # By fours, rounded up: 5 is 2, and 5 + 3 still is.
    "by-four": [
        (CARRIED, "", "10-01T00:00", "by-four", "5", "2"),
        ("event", "10-05T10:00", "10-05T10:00", "by-four", "3", "0"),
    ],
    # The rise to 9 came while there was no price.
    "gap": [
        ("event", "10-05T10:00", "10-05T10:00", "gap", "4", "4"),
        ("event", "10-25T10:00", "10-25T10:00", "gap-2", "1", "1"),
    ],
    # 1.5 + 2 in one hour of the model, 4 in another.
    "modelled": [
        ("an hour of the model own", "", "10-05T10:00", "modelled", "3.5", "3.5"),
        ("an hour of the model own", "", "10-31T09:00", "modelled-2", "4", "4"),
    ],
    # All of it at the rate of the last hour.
    "at-the-end": [
        ("an hour of the model own", "", "10-05T10:00", "at-the-end-2", "3.5", "3.5"),
        ("an hour of the model own", "", "10-31T09:00", "at-the-end-2", "4", "4"),
    ],
}

MODEL = """
select
    customer_id,
    cast(used_at as timestamp) as usage_at,
    cast(quantity as decimal(31, 12)) as quantity
from (
    values
    ('{0}', '2026-10-05 10:10:00', 1.5),
    ('{0}', '2026-10-05 10:50:00', 2),
    ('{0}', '2026-10-31 09:00:00', 4),
    ('{1}', '2026-10-05 10:10:00', 1.5),
    ('{1}', '2026-10-05 10:50:00', 2),
    ('{1}', '2026-10-31 09:00:00', 4)
) as used (customer_id, used_at, quantity)
""".format("modelled", "at-the-end")


def event(customer: str, kind: str, at: str, value: str, number: str = "") -> str:
    return json.dumps(
        {
            "transaction_id": f"{customer}{number}:{at}",
            "customer_id": customer,
            "event_type": kind,
            "timestamp": f"2026-{at}:00Z",
            "properties": {"v": value},
        }
    )


def hand_made(first: str, end: str) -> list[str]:
    return [
        event(name, name, at, value)
        for name, (_, values) in METERED.items()
        for at, value in values.items()
        if first <= at < end
    ]


def random_events(seed: int, first: datetime, hours: int) -> list[str]:
    """Few hours and values, so that ties, returns and repeats are many."""
    dice = random.Random(seed)
    found = []
    for customer in range(CUSTOMERS):
        for number in range(dice.randint(2, 12)):
            at = first + timedelta(
                hours=dice.choice((dice.randint(0, hours), 95, 96, 97)),
                minutes=dice.choice((0, 0, 1, 30, 59)),
            )
            found.append(
                event(
                    f"random-{customer}",
                    "reading",
                    f"{at:%m-%dT%H:%M}",
                    dice.choice(VALUES),
                    f"-{seed}-{number}",
                )
            )
    return found


def write_prices(folder: Path) -> None:
    """1 USD a unit for the month, and another rate of 1 USD for its last day; where
    there is a gap, none from the 10th to the 20th."""
    rates: list[Row] = []
    names = [*EXPECTED, *(f"random-{metric}" for metric in METRICS)]
    for name in names:
        gap = name == "gap" or name.startswith("random")
        common = {
            "rate_card_id": "random" if name.startswith("random") else name,
            "product_id": name,
            "price_model": "flat",
            "unit_price": "1",
        }
        rates += [
            {
                **common,
                "rate_id": name,
                "starting_at": OCTOBER,
                "ending_before": "2026-10-10T00:00Z" if gap else HALF,
            },
            {
                **common,
                "rate_id": f"{name}-2",
                "starting_at": "2026-10-20T15:00Z" if gap else HALF,
            },
        ]
    write(folder, "rates", rates)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line-events") / "company"
    own = {"aggregation": "SQL", "aggregation_key": "own"}
    write_company(
        folder,
        [
            *(
                (name, {"metric_id": name, "aggregation_key": "v", **metric})
                for name, (metric, _) in METERED.items()
            ),
            ("modelled", {"metric_id": "modelled", **own}),
            (
                "at-the-end",
                {"metric_id": "at-the-end", **own, "granularity": "service_period"},
            ),
        ],
    )
    (folder / "meterhouse.yml").write_text("metric_models: [own]\n")
    (folder / "models").mkdir()
    (folder / "models" / "own.sql").write_text(MODEL)
    with (folder / "catalog" / "billable_metrics.csv").open(newline="") as file:
        metrics: list[Row] = [
            {
                **row,
                "event_types": row["metric_id"] if row["metric_id"] in METERED else "",
            }
            for row in csv.DictReader(file)
        ]
    with (folder / "catalog" / "products.csv").open(newline="") as file:
        products: list[Row] = [
            {
                **row,
                **(
                    {
                        "quantity_conversion": "divide",
                        "conversion_factor": "4",
                        "quantity_rounding": "up",
                        "rounding_places": "0",
                    }
                    if row["product_id"] == "by-four"
                    else {}
                ),
            }
            for row in csv.DictReader(file)
        ]
    for metric, (aggregation, carries) in METRICS.items():
        name = f"random-{metric}"
        metrics.append(
            {
                "metric_id": name,
                "name": name,
                "aggregation": aggregation,
                "aggregation_key": "" if aggregation == "COUNT" else "v",
                "event_types": "reading",
                "carry_forward": "true" if carries else "",
            }
        )
        products.append(
            {
                "product_id": name,
                "name": name,
                "product_type": "USAGE",
                "metric_id": name,
            }
        )
    write(folder, "billable_metrics", metrics)
    write(folder, "products", products)
    card = {"rate_card_id": "random", "name": "random", "currency": "USD"}
    append(folder, "rate_cards", [card])
    for number in range(CUSTOMERS):
        name = f"random-{number}"
        append(folder, "customers", [{"customer_id": name, "name": name}])
        append(
            folder,
            "contracts",
            [
                {
                    "contract_id": name,
                    "customer_id": name,
                    "rate_card_id": "random",
                    "starting_at": OCTOBER,
                }
            ],
        )
    write_prices(folder)
    # From 27 September on, so that some are before the period, and to the 22nd.
    events = [
        *hand_made("09-01", "10-22"),
        *random_events(1, datetime(2026, 9, 27), 24 * 24),
    ]
    (folder / "events" / "usage.ndjson").write_text("\n".join(events) + "\n")
    return folder


def october(folder: Path, as_of: str) -> list[tuple[Row, list[dict[str, Any]]]]:
    """Each usage line of October and what is listed for it."""
    dbt = Dbt(Workspace.load(folder), variables={"as_of": f"{as_of}T00:00:00"})
    listed = defaultdict(list)
    for event in rows(folder, dbt.compile("{{ invoice_line_events() }}")):
        listed[event["line_id"]].append(event)
    return [
        (line, listed[line["line_id"]])
        for line in rows(
            folder,
            "select line_id, customer_id, product_id, quantity "
            "from invoicing.invoice_lines inner join invoicing.invoices "
            "using (invoice_id) where line_type = 'usage' "
            "and invoice_lines.period_start = timestamp '2026-10-01'",
        )
    ]


def broken(found: list[tuple[Row, list[dict[str, Any]]]]) -> dict[tuple[str, str], Any]:
    return {
        (line["customer_id"], line["product_id"]): (line["quantity"], events)
        for line, events in found
        if sum((event["share"] for event in events), Decimal(0)) != line["quantity"]
    }


def test_shares_of_an_open_month_add_up(company: Path) -> None:
    run_metered(company, "2026-10-22")
    found = october(company, "2026-10-22")
    assert len(found) > 100
    assert broken(found) == {}


def test_shares_of_a_closed_month_are_what_was_billed(company: Path) -> None:
    rest = hand_made("10-22", "11-01")
    (company / "events" / "rest.ndjson").write_text("\n".join(rest) + "\n")
    run_metered(company, "2026-11-02")
    found = october(company, "2026-11-02")
    assert broken(found) == {}
    listed = {
        line["product_id"]: [
            (
                event["source"],
                (event["transaction_id"] or "").partition(":")[2],
                f"{event['event_at']:%m-%dT%H:%M}",
                event["rate_id"],
                f"{event['metered_share'].normalize():f}",
                f"{event['share'].normalize():f}",
            )
            for event in events
        ]
        for line, events in found
        if not line["product_id"].startswith("random")
    }
    assert listed == EXPECTED


def test_what_came_late_is_no_part_of_a_closed_line(company: Path) -> None:
    late = random_events(2, datetime(2026, 9, 27), 25 * 24)
    (company / "events" / "late.ndjson").write_text("\n".join(late) + "\n")
    run_metered(company, "2026-11-03")
    assert broken(october(company, "2026-11-03")) == {}
