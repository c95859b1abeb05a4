"""Usage that changes behind metering's back: late events of a closed period, and past
events that a new or changed metric counts."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from pathlib import Path

from orchestration.billing_run import BillingRun, usage_days_to_meter
from orchestration.workspace import Workspace
from tests.rating.metered import hours, october_lines, run_metered, write, write_company
from tests.support import instant, rows

AGGREGATIONS = (
    *("COUNT", "SUM", "MAX", "MIN", "LATEST", "UNIQUE", "AVG", "TIME_WEIGHTED_SUM"),
)


def land(folder: Path, name: str, *readings: tuple[str, str]) -> None:
    """(day and time in October, value), one file."""
    (folder / "events" / f"{name}.ndjson").write_text(
        "".join(
            f'{{"transaction_id":"{at}","customer_id":"acme","event_type":"reading",'
            f'"timestamp":"2026-10-{at}:00Z","properties":{{"value":"{value}"}}}}\n'
            for at, value in readings
        )
    )


def test_late_usage_is_what_every_aggregation_makes_of_it(tmp_path: Path) -> None:
    """Known: 5 and 2 on 5 October, 10:00 and 10:30; 3 on 6 October, 09:00.
    Late: 9 on 5 October, 10:45 (an hour that was metered), 1 on 7 October, 00:00.

    count 3, 5; sum 10, 20; highest 5, 9; lowest 2, 1; last 3, 1; distinct 3, 5;
    mean 10/3, 20/5 = 4. Unit-hours to 1 November: 5 from 5 October, 10:00 (638 h), 2
    from 10:30 (637.5 h), 3 from 6 October, 09:00 (615 h) = 3190 + 1275 + 1845 = 6310;
    late 9 from 10:45 (637.25 h) and 1 from 7 October (600 h) = 5735.25 + 600 = 6335.25.
    """
    folder = tmp_path / "company"
    write_company(
        folder,
        [
            (
                "acme",
                {
                    "metric_id": name.lower(),
                    "aggregation": name,
                    "aggregation_key": "" if name == "COUNT" else "value",
                },
            )
            for name in AGGREGATIONS
        ],
    )
    land(folder, "known", ("05T10:00", "5"), ("05T10:30", "2"), ("06T09:00", "3"))
    run_metered(folder, "2026-11-02")
    billed = {
        "count": Decimal(3),
        "sum": Decimal(10),
        "max": Decimal(5),
        "min": Decimal(2),
        "latest": Decimal(3),
        "unique": Decimal(3),
        "avg": Decimal("3.333333333333"),
        "time_weighted_sum": Decimal(6310),
    }
    assert october_lines(folder) == {n: (q, q) for n, q in billed.items()}

    land(folder, "late", ("05T10:45", "9"), ("07T00:00", "1"))
    run_metered(folder, "2026-11-03")
    late = {
        row["product_id"]: (row["late_quantity"], row["correction_minor"])
        for row in rows(folder, "select * from invoicing.late_usage")
        if row["is_reproduced"]
    }
    assert late == {
        "count": (Decimal(2), 200),
        "sum": (Decimal(10), 1000),
        "max": (Decimal(4), 400),
        "min": (Decimal(-1), -100),
        "latest": (Decimal(-2), -200),
        "unique": (Decimal(2), 200),
        # 4.00 less 3.33.
        "avg": (Decimal("0.666666666667"), 67),
        "time_weighted_sum": (Decimal("6335.25"), 633525),
    }
    assert october_lines(folder) == {n: (q, q) for n, q in billed.items()}


def test_a_new_or_changed_metric_meters_past_usage_at_once(tmp_path: Path) -> None:
    """Nothing lands between the runs; the price book alone changes. Values 5 and 2 in
    hour 10: the sum is 7, the highest 5; with a filter for less than 5 the sum is 2."""
    folder = tmp_path / "company"
    key = {"aggregation_key": "value"}
    total = ("acme", {"metric_id": "total", "aggregation": "SUM", **key})
    highest = ("acme", {"metric_id": "highest", "aggregation": "MAX", **key})
    distinct = ("acme", {"metric_id": "distinct", "aggregation": "UNIQUE", **key})
    hour = "2026-10-05 10:00"
    write_company(folder, [total])
    land(folder, "october", ("05T10:00", "5"), ("05T10:30", "2"))
    run_metered(folder, "2026-10-10")
    assert hours(folder) == {"total": {hour: 7}}
    assert days_to_meter(folder) == ("2026-10-10", "2026-10-11")

    added = tmp_path / "added"
    write_company(added, [total, highest, distinct])
    for path in (added / "catalog").iterdir():
        (folder / "catalog" / path.name).write_text(path.read_text())
    assert days_to_meter(folder) is None
    run_metered(folder, "2026-10-10")
    assert hours(folder) == {
        "total": {hour: 7},
        "highest": {hour: 5},
        "distinct": {hour: 2},
    }

    small = {"property": "value", "operator": "less_than", "property_values": "5"}
    write(folder, "metric_filters", [{"metric_id": "total", **small}])
    assert days_to_meter(folder) is None
    run_metered(folder, "2026-10-10")
    assert hours(folder)["total"] == {hour: 2}
    assert days_to_meter(folder) == ("2026-10-10", "2026-10-11")


def days_to_meter(folder: Path) -> tuple[str, str] | None:
    as_of = instant("2026-10-10").astimezone(UTC)
    days = usage_days_to_meter(BillingRun(Workspace.load(folder), as_of))
    return days and (str(days[0]), str(days[1]))
