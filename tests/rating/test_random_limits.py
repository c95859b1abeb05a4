"""Random discounts, maximums and minimums, billed through the whole path in one build,
against the reference."""

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
from tests.rating.reference_limits import (
    Adjusted,
    Charge,
    Discount,
    Limit,
    Window,
    adjusted,
)
from tests.rating.reference_rater import minor_units
from tests.support import rows, run_until_close

CONTRACTS = 90
PRODUCTS = ("p0", "p1", "p2")
OCTOBER, NOVEMBER = datetime(2026, 10, 1), datetime(2026, 11, 1)
FULL = NOVEMBER - OCTOBER
PRICE = Decimal("0.25")
Tables = dict[str, list[dict[str, Any]]]


@dataclass
class Contract:
    period: Window
    charges: list[Charge] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    maximums: list[Limit] = field(default_factory=list)
    minimums: list[Limit] = field(default_factory=list)


def some(dice: random.Random, top: int) -> Decimal:
    return Decimal(dice.randint(1, top * 100)).scaleb(-2)


def some_window(dice: random.Random, products: tuple[str, ...]) -> Window:
    starts = OCTOBER + timedelta(hours=dice.randint(0, 400) * (dice.random() < 0.5))
    ends = starts + timedelta(hours=dice.randint(50, 300))
    return Window(starts, ends if dice.random() < 0.4 else NOVEMBER, products)


def some_discount(dice: random.Random) -> Discount:
    products = tuple(dice.sample(PRODUCTS, dice.randint(0, 2)))
    window = some_window(dice, products)
    units = some(dice, 200) if dice.random() < 0.3 else None
    if dice.random() < 0.5:
        return Discount(window, amount=some(dice, 40), maximum_units=units)
    return Discount(
        window,
        Decimal(dice.choice(("0.1", "0.333333333333", "1", "0.25"))),
        maximum_units=units,
        maximum_amount=some(dice, 40) if not units and dice.random() < 0.4 else None,
    )


def some_limits(dice: random.Random, top: int) -> list[Limit]:
    return [
        Limit(
            some_window(dice, () if scope == "contract" else PRODUCTS[:2]),
            scope,
            some(dice, top),
            dice.random() < 0.5,
        )
        for scope in ("group", "product", "contract")
        if dice.random() < 0.4
    ]


def some_contract(dice: random.Random) -> Contract:
    starts = OCTOBER + timedelta(hours=dice.choice((0, 0, 240, 252)))
    contract = Contract(
        Window(starts, NOVEMBER),
        discounts=[some_discount(dice) for _ in range(dice.randint(0, 3))],
        maximums=some_limits(dice, 60),
        minimums=some_limits(dice, 90),
    )
    for number, product in enumerate(PRODUCTS):
        # Products do not meet within an hour: their order there goes by an opaque id.
        hours = range(number, (NOVEMBER - starts) // timedelta(hours=1), 3)
        for kind in ("a", "b")[: dice.randint(1, 2)]:
            for hour in sorted(dice.sample(hours, dice.randint(1, 20))):
                quantity = Decimal(dice.choice((1, 7, 40, "0.5", "33.3")))
                contract.charges.append(
                    Charge(
                        starts + timedelta(hours=hour),
                        product,
                        kind,
                        quantity,
                        quantity * PRICE,
                    )
                )
    return contract


def instant(at: datetime) -> str:
    return at.isoformat() + "Z"


def window(window: Window) -> dict[str, str]:
    return {
        "product_ids": "|".join(window.products),
        "starting_at": instant(window.starts),
        "ending_before": "" if window.ends == NOVEMBER else instant(window.ends),
    }


def add_contract(tables: Tables, name: str, contract: Contract) -> None:
    def add(table: str, **row: Any) -> None:
        tables.setdefault(table, []).append(row)

    add("customers", customer_id=name, name=name)
    add(
        "contracts",
        contract_id=name,
        customer_id=name,
        rate_card_id="usd",
        starting_at=instant(contract.period.starts),
    )
    for number, discount in enumerate(contract.discounts, 1):
        add(
            "discounts",
            discount_id=f"{name}-{number}",
            contract_id=name,
            discount_type="percentage" if discount.percentage else "amount",
            percentage=discount.percentage or "",
            amount=discount.amount or "",
            position=number,
            maximum_units=discount.maximum_units or "",
            maximum_amount=discount.maximum_amount or "",
            **window(discount.window),
        )
    for table, limits in (
        ("minimums", contract.minimums),
        ("maximums", contract.maximums),
    ):
        for limit in limits:
            add(
                table,
                **{f"{table[:-1]}_id": f"{name}-{limit.scope}"},
                contract_id=name,
                scope=limit.scope,
                amount=limit.amount,
                is_prorated=str(limit.is_prorated).lower(),
                **window(limit.window),
            )


def write_company(folder: Path) -> dict[str, Contract]:
    dice = random.Random(20261001)
    contracts = {f"c{number}": some_contract(dice) for number in range(CONTRACTS)}
    tables: Tables = {
        "billable_metrics": [
            {
                "metric_id": product,
                "name": product,
                "aggregation": "SUM",
                "aggregation_key": "units",
                "event_types": product,
                "group_keys": "kind",
            }
            for product in PRODUCTS
        ],
        "products": [
            {
                "product_id": product,
                "name": product,
                "product_type": "USAGE",
                "metric_id": product,
                "pricing_group_keys": "kind",
            }
            for product in PRODUCTS
        ],
        "rate_cards": [{"rate_card_id": "usd", "name": "usd", "currency": "USD"}],
        "rates": [
            {
                "rate_id": product,
                "rate_card_id": "usd",
                "product_id": product,
                "price_model": "flat",
                "unit_price": PRICE,
                "starting_at": instant(OCTOBER),
            }
            for product in PRODUCTS
        ],
    }
    events = []
    for name, contract in contracts.items():
        add_contract(tables, name, contract)
        for number, charge in enumerate(contract.charges):
            events.append(
                {
                    "transaction_id": f"{name}-{number}",
                    "customer_id": name,
                    "event_type": charge.product,
                    "timestamp": instant(charge.at + timedelta(minutes=number % 60)),
                    "properties": {
                        "kind": charge.group,
                        "units": str(charge.quantity),
                    },
                }
            )
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    for table, lines in tables.items():
        columns = list(dict.fromkeys(column for row in lines for column in row))
        with (folder / "catalog" / f"{table}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(lines)
    texts = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events" / "usage.ndjson").write_text(texts)
    return contracts


@pytest.fixture(scope="module")
def billed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Adjusted]]:
    folder = tmp_path_factory.mktemp("limits") / "company"
    contracts = write_company(folder)
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", schema_tests=True, backfill=True)
    return folder, {
        name: adjusted(
            contract.charges,
            contract.discounts,
            contract.maximums,
            contract.minimums,
            contract.period,
            FULL,
        )
        for name, contract in contracts.items()
    }


def found_lines(folder: Path, line_type: str) -> dict[tuple[str, ...], Any]:
    return {
        (
            line["customer_id"],
            line["product_id"] or "",
            json.loads(line["pricing_group_values"]).get("kind", ""),
        ): (line["amount"], line["amount_minor"])
        for line in rows(
            folder,
            "select lines.*, invoices.customer_id "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            "where invoices.period_end = timestamp '2026-11-01' "
            f"and lines.line_type = '{line_type}'",
        )
    }


def test_every_line_is_as_the_reference_has_it(
    billed: tuple[Path, dict[str, Adjusted]],
) -> None:
    folder, expected = billed
    found = found_lines(folder, "usage")
    wanted = {
        (name, *key): (amount, minor_units(amount, 2))
        for name, one in expected.items()
        for key, amount in one.charges.items()
    }
    assert len(wanted) > 300
    assert set(found) == set(wanted)
    assert {k: (found[k], wanted[k]) for k in found if found[k] != wanted[k]} == {}


def test_every_minimum_is_as_the_reference_has_it(
    billed: tuple[Path, dict[str, Adjusted]],
) -> None:
    folder, expected = billed
    found = found_lines(folder, "minimum")
    wanted = {
        (name, *key): (amount, minor_units(amount, 2))
        for name, one in expected.items()
        for key, amount in one.shortfalls.items()
        if minor_units(amount, 2)
    }
    assert len(wanted) > 50
    assert {
        k: (found.get(k), wanted.get(k))
        for k in found.keys() | wanted.keys()
        if found.get(k) != wanted.get(k)
    } == {}


def test_every_kind_of_reduction_was_met(
    billed: tuple[Path, dict[str, Adjusted]],
) -> None:
    folder, _ = billed
    met = {
        row["charge"]: row["n"]
        for row in rows(
            folder,
            "select charge, count(*) as n from invoicing.invoice_sub_lines group by 1",
        )
    }
    assert met["discount"] > 100
    assert met["maximum"] > 50
