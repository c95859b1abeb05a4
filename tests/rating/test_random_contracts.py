"""Hundreds of random contracts in one build: every line as the reference rater has it.

Each customer has a card of its own with random prices; prices change in mid-month at a
random hour. Quantities lie on and next to tier and package bounds on purpose.
"""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import check_workspace
from orchestration.workspace import Workspace
from tests.rating.reference_rater import Rate, Tier, Usage, line_amount, minor_units
from tests.support import rows, run_until_close

SEED = 20261101
CUSTOMERS = 250
START = datetime(2026, 10, 1)
HOURS = 31 * 24
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}
# product -> (pricing values, presentation values)
PRODUCTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plain": ((), ()),
    "priced": (("a", "b"), ()),
    "shown": ((), ("x", "y")),
}
MODELS = ("flat", "graduated", "volume", "package", "tiered_package", "stairstep")

LineKey = tuple[str, str, str, str]


@dataclass
class Company:
    rates: dict[tuple[str, str, str], list[Rate]] = field(default_factory=dict)
    usage: dict[LineKey, list[Usage]] = field(default_factory=dict)
    currencies: dict[str, str] = field(default_factory=dict)


def random_rate(dice: random.Random, starts: datetime, ends: datetime | None) -> Rate:
    model = dice.choice(MODELS)
    size = dice.choice((1, 7, 10, 100)) if "package" in model else None
    if model in ("flat", "package"):
        tiers: tuple[Tier, ...] = (Tier(Decimal(0), None, money(dice)),)
    else:
        step = Decimal(size or dice.choice(("0.5", "10", "33.3")))
        bounds = [Decimal(0)]
        for _ in range(dice.randint(0, 3)):
            bounds.append(bounds[-1] + step * dice.randint(1, 9))
        stairs = sorted(money(dice, 50) for _ in bounds)
        last_end = bounds[-1] + step if dice.random() < 0.3 else None
        tiers = tuple(
            Tier(
                bound,
                bounds[number + 1] if number + 1 < len(bounds) else last_end,
                Decimal(0) if model == "stairstep" else money(dice),
                stairs[number]
                if model == "stairstep"
                else money(dice, 9) * (dice.random() < 0.4),
            )
            for number, bound in enumerate(bounds)
        )
    rounding = dice.choice(("up", "up", "down"))
    return Rate(model, tiers, starts, ends, size, rounding)


def money(dice: random.Random, top: int = 3) -> Decimal:
    return Decimal(dice.randint(0, top * 10**4)).scaleb(-4)


def random_usage(dice: random.Random, rates: list[Rate]) -> list[Usage]:
    """Some uses that bring the running quantity to, below or above a bound."""
    bounds = [tier.end for rate in rates for tier in rate.tiers if tier.end]
    bounds += [Decimal(rate.package_size) for rate in rates if rate.package_size]
    hours = sorted(dice.sample(range(HOURS), dice.randint(1, 8)))
    running, found = Decimal(0), []
    for hour in hours:
        nudge = Decimal(dice.choice(("-0.001", "0", "0", "0.001")))
        target = (
            dice.choice(bounds) if bounds else Decimal(dice.randint(1, 99))
        ) + nudge
        if dice.random() < 0.4:
            target = running + Decimal(dice.randint(1, 40_000)).scaleb(-3)
        if target == running:
            continue
        at = START + timedelta(hours=hour, seconds=dice.randint(0, 3599))
        found.append(Usage(at, target - running))
        running = target
    return found


def write_company(folder: Path) -> Company:
    dice = random.Random(SEED)
    company = Company()
    tables: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in ("customers", "rate_cards", "contracts", "rates", "rate_tiers")
    }
    events: list[dict[str, Any]] = []
    for number in range(CUSTOMERS):
        customer = f"c{number:03}"
        currency = dice.choice(list(CURRENCIES))
        company.currencies[customer] = currency
        tables["customers"].append({"customer_id": customer, "name": customer})
        tables["rate_cards"].append(
            {"rate_card_id": customer, "name": customer, "currency": currency}
        )
        tables["contracts"].append(
            {
                "contract_id": customer,
                "customer_id": customer,
                "rate_card_id": customer,
                "starting_at": "2026-10-01T00:00Z",
            }
        )
        for product, (priced, shown) in PRODUCTS.items():
            for value in priced or ("",):
                rates = random_windows(dice)
                company.rates[customer, product, value] = rates
                write_rates(tables, customer, product, value, rates)
                for team in shown or ("",):
                    if dice.random() < 0.2:
                        continue
                    usage = random_usage(dice, rates)
                    if usage:
                        company.usage[customer, product, value, team] = usage
                    events += usage_events(customer, product, value, team, usage)
    tables["billable_metrics"] = [
        {
            "metric_id": product,
            "name": product,
            "aggregation": "SUM",
            "aggregation_key": "units",
            "event_types": product,
            "group_keys": "kind" if priced else "team" if shown else "",
        }
        for product, (priced, shown) in PRODUCTS.items()
    ]
    tables["products"] = [
        {
            "product_id": product,
            "name": product,
            "product_type": "USAGE",
            "metric_id": product,
            "pricing_group_keys": "kind" if priced else "",
            "presentation_group_keys": "team" if shown else "",
        }
        for product, (priced, shown) in PRODUCTS.items()
    ]
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    for name, table in tables.items():
        with (folder / "catalog" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    # In no order of time: a line does not depend on the order of arrival.
    dice.shuffle(events)
    for part in range(3):
        lines = [json.dumps(event) for event in events[part::3]]
        (folder / "events" / f"{part}.ndjson").write_text("\n".join(lines) + "\n")
    return company


def random_windows(dice: random.Random) -> list[Rate]:
    if dice.random() < 0.5:
        return [random_rate(dice, START - timedelta(days=40), None)]
    change = START + timedelta(hours=dice.randint(1, HOURS - 1))
    return [
        random_rate(dice, START - timedelta(days=40), change),
        random_rate(dice, change, None),
    ]


def write_rates(
    tables: dict[str, list[dict[str, Any]]],
    customer: str,
    product: str,
    value: str,
    rates: list[Rate],
) -> None:
    for number, rate in enumerate(rates):
        rate_id = f"{customer}-{product}{value}-{number}"
        one_price = rate.model in ("flat", "package")
        tables["rates"].append(
            {
                "rate_id": rate_id,
                "rate_card_id": customer,
                "product_id": product,
                "price_model": rate.model,
                "pricing_group_values": f"kind={value}" if value else "",
                "unit_price": rate.tiers[0].unit_price if one_price else "",
                "package_size": rate.package_size or "",
                "package_rounding": rate.package_rounding if rate.package_size else "",
                "starting_at": rate.starting_at.isoformat() + "Z",
                "ending_before": (
                    rate.ending_before.isoformat() + "Z" if rate.ending_before else ""
                ),
            }
        )
        if not one_price:
            tables["rate_tiers"] += [
                {
                    "rate_id": rate_id,
                    "tier_start": tier.start,
                    "tier_end": "" if tier.end is None else tier.end,
                    "unit_price": "" if rate.model == "stairstep" else tier.unit_price,
                    "flat_amount": tier.flat_amount,
                }
                for tier in rate.tiers
            ]


def usage_events(
    customer: str, product: str, value: str, team: str, usage: list[Usage]
) -> list[dict[str, Any]]:
    properties = {"kind": value} if value else {"team": team} if team else {}
    return [
        {
            "transaction_id": f"{customer}-{product}-{value}-{team}-{number}",
            "customer_id": customer,
            "event_type": product,
            "timestamp": use.at.isoformat() + "Z",
            "properties": {**properties, "units": str(use.quantity)},
        }
        for number, use in enumerate(usage)
    ]


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Company]:
    folder = tmp_path_factory.mktemp("random") / "company"
    company = write_company(folder)
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", backfill=True)
    return folder, company


def expected_lines(company: Company) -> dict[LineKey, Decimal]:
    lines = {
        key: line_amount(company.rates[key[:3]], usage)
        for key, usage in company.usage.items()
    }
    # A product without dimensions shows a line without usage too.
    for (customer, product, value), rates in company.rates.items():
        if product == "plain":
            key = (customer, product, value, "")
            lines.setdefault(key, line_amount(rates, []))
    return lines


def value_of(group_values: str) -> str:
    return "".join(json.loads(group_values).values())


def test_every_line_is_as_the_reference_rater_has_it(
    billed: tuple[Path, Company],
) -> None:
    folder, company = billed
    found = {
        (
            line["customer_id"],
            line["product_id"],
            value_of(line["pricing_group_values"]),
            value_of(line["presentation_group_values"]),
        ): (line["amount"], line["amount_minor"])
        for line in rows(
            folder,
            "select lines.*, invoices.customer_id "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            "where invoices.period_start = timestamp '2026-10-01' "
            "and lines.line_type = 'usage'",
        )
    }
    expected = {
        key: (amount, minor_units(amount, CURRENCIES[company.currencies[key[0]]]))
        for key, amount in expected_lines(company).items()
    }
    assert len(expected) > 900
    assert set(found) == set(expected)
    wrong = {
        key: (found[key], expected[key]) for key in found if found[key] != expected[key]
    }
    assert wrong == {}


def test_every_price_model_was_met(billed: tuple[Path, Company]) -> None:
    folder, _ = billed
    met = rows(
        folder,
        "select price_model, count(*) as n from invoicing.invoice_sub_lines group by 1",
    )
    assert {row["price_model"] for row in met} == set(MODELS)
    assert min(row["n"] for row in met) > 50
    flat = rows(
        folder,
        "select count(*) as n from invoicing.invoice_sub_lines "
        "where unit_price is null",
    )
    assert flat[0]["n"] > 100
