"""The metering grain: what it lets the catalog say, and that the money is the same."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from orchestration.billing_run import usage_days_to_meter
from orchestration.catalog import check_catalog
from orchestration.workspace import Workspace
from tests.rating.metered import OCTOBER, run_metered, write
from tests.support import rows

PRODUCTS = ("calls", "disk", "level")


def write_company(folder: Path, zone: str, price_change: str) -> None:
    """calls: 1 USD, 10 free a day of the customer; disk: 1 USD, then 2; level: 1 USD a
    unit-hour."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    write(
        folder,
        "customers",
        [
            {"customer_id": "delhi", "name": "Delhi", "time_zone": zone},
            {"customer_id": "oslo", "name": "Oslo"},
        ],
    )
    write(
        folder,
        "rate_cards",
        [{"rate_card_id": "usd", "name": "usd", "currency": "USD"}],
    )
    write(
        folder,
        "contracts",
        [
            {
                "contract_id": name,
                "customer_id": name,
                "rate_card_id": "usd",
                "starting_at": OCTOBER,
            }
            for name in ("delhi", "oslo")
        ],
    )
    write(
        folder,
        "billable_metrics",
        [
            {
                "metric_id": name,
                "name": name,
                "aggregation": "TIME_WEIGHTED_SUM" if name == "level" else "SUM",
                "aggregation_key": "value",
                "event_types": name,
            }
            for name in PRODUCTS
        ],
    )
    write(
        folder,
        "products",
        [
            {
                "product_id": name,
                "name": name,
                "product_type": "USAGE",
                "metric_id": name,
            }
            for name in PRODUCTS
        ],
    )
    rate = {"rate_card_id": "usd", "price_model": "flat", "unit_price": "1"}
    write(
        folder,
        "rates",
        [
            {
                **rate,
                "rate_id": "calls",
                "product_id": "calls",
                "starting_at": OCTOBER,
                "free_units": "10",
                "free_units_reset": "day",
            },
            {
                **rate,
                "rate_id": "disk-1",
                "product_id": "disk",
                "starting_at": OCTOBER,
                "ending_before": price_change,
            },
            {
                **rate,
                "rate_id": "disk-2",
                "product_id": "disk",
                "unit_price": "2",
                "starting_at": price_change,
            },
            {
                **rate,
                "rate_id": "level",
                "product_id": "level",
                "starting_at": OCTOBER,
            },
        ],
    )


def use(folder: Path, *events: tuple[str, str, str, str]) -> None:
    """(customer, product, day and time in October, value)."""
    (folder / "events" / "october.ndjson").write_text(
        "".join(
            json.dumps(
                {
                    "transaction_id": f"{product}-{at}",
                    "customer_id": customer,
                    "event_type": product,
                    "timestamp": f"2026-10-{at}Z",
                    "properties": {"value": value},
                }
            )
            + "\n"
            for customer, product, at, value in events
        )
    )


def set_grain(folder: Path, grain: str) -> None:
    (folder / "meterhouse.yml").write_text(f"metering_grain: {grain}\n")


def amounts(folder: Path) -> dict[str, Decimal]:
    return {
        row["product_id"]: row["amount"]
        for row in rows(
            folder,
            "select product_id, amount from invoicing.invoice_lines "
            "where period_start = timestamp '2026-10-01' and quantity <> 0",
        )
    }


def test_quarters_of_an_hour_serve_zones_and_prices_off_the_hour(
    tmp_path: Path,
) -> None:
    """Delhi's 11 October begins on the 10th at 18:30 UTC. Of the 10th, 8 are free;
    of the 11th, 8 + 5 - 10 = 3 are not: 3 USD. Disk: 3 at 12:14:59 cost 1 each, 4 at
    12:15 cost 2 each: 3 + 8 = 11 USD. A level of 2 in the month's last quarter of an
    hour: 2 x 1/4 = 0.50 USD.
    """
    folder = tmp_path / "company"
    write_company(folder, "Asia/Kolkata", "2026-10-05T12:15Z")
    use(
        folder,
        ("delhi", "calls", "10T18:29:59", "8"),
        ("delhi", "calls", "10T18:30:00", "8"),
        ("delhi", "calls", "10T18:45:00", "5"),
        ("oslo", "disk", "05T12:14:59", "3"),
        ("oslo", "disk", "05T12:15:00", "4"),
        ("oslo", "level", "31T23:45:00", "2"),
    )
    for grain, off in (("hour", "on the full hour"), ("day", "at midnight UTC")):
        set_grain(folder, grain)
        told = check_catalog(Workspace.load(folder))
        assert {(p.file, p.row, p.field) for p in told} == {
            ("catalog/rates.csv", 2, "free_units_reset"),
            ("catalog/rates.csv", 3, "ending_before"),
            ("catalog/rates.csv", 4, "starting_at"),
        }
        assert all(off in p.problem for p in told), told
        assert all("metering_grain: 15 minutes" in p.remedy for p in told)

    set_grain(folder, "15 minutes")
    run_metered(folder, "2026-11-02")
    assert amounts(folder) == {
        "calls": Decimal(3),
        "disk": Decimal(11),
        "level": Decimal("0.5"),
    }


def test_the_money_is_the_same_by_any_grain_that_fits(tmp_path: Path) -> None:
    """calls: 8 on the 10th are free, of 13 on the 11th 3 are not. disk: 3 before and 4
    from midnight of the 5th: 11 USD. A level of 2 from 31 October, 23:30: 1 USD."""
    folder = tmp_path / "company"
    write_company(folder, "", "2026-10-05T00:00Z")
    use(
        folder,
        ("delhi", "calls", "10T23:59:59", "8"),
        ("delhi", "calls", "11T00:00:00", "8"),
        ("delhi", "calls", "11T18:45:00", "5"),
        ("oslo", "disk", "04T23:59:59", "3"),
        ("oslo", "disk", "05T00:00:00", "3"),
        ("oslo", "disk", "05T00:20:00", "1"),
        ("oslo", "level", "31T23:30:00", "2"),
    )
    steps = {}
    for grain in ("hour", "15 minutes", "day"):
        set_grain(folder, grain)
        # Not yet due: the drafts of one month, metered again by each grain.
        run = run_metered(folder, "2026-11-01T12:00")
        assert amounts(folder) == {
            "calls": Decimal(3),
            "disk": Decimal(11),
            "level": Decimal(1),
        }
        assert usage_days_to_meter(run) is not None, "remembers what it metered by"
        steps[grain] = [
            str(row["usage_hour"])[8:16]
            for row in rows(
                folder,
                "select usage_hour from metering.metered_usage "
                "where metric_id = 'disk' order by 1",
            )
        ]
    assert steps == {
        "hour": ["04 23:00", "05 00:00"],
        "15 minutes": ["04 23:45", "05 00:00", "05 00:15"],
        "day": ["04 00:00", "05 00:00"],
    }
