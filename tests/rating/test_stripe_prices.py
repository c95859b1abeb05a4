"""Stripe's own prices, written in our catalog, cost what Stripe says they cost.

A company that moves its price book from Stripe Billing must not see another amount. The
figures are those that Stripe's pages state ("stated"), or follow from their rules and
were worked out by hand:

- tiers: https://docs.stripe.com/subscriptions/pricing-models/tiered-pricing and the
  fields of `tiers` in https://docs.stripe.com/api/prices/object (`up_to` is inclusive,
  `flat_amount` is charged for a tier whatever the number of units in it)
- quantities: https://docs.stripe.com/billing/subscriptions/usage-based/transform-quantities
  and its older text, https://stripe.com/docs/billing/subscriptions/quantity-transformation
- overage: https://docs.stripe.com/billing/subscriptions/usage-based-v1/use-cases/
  flat-fee-and-overages

`up_to` of a Stripe tier is our `tier_end`, the `up_to` before it our `tier_start`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from tests.rating.metered import OCTOBER, Row, run_metered, write
from tests.support import rows


@dataclass(frozen=True)
class Price:
    """A Stripe price in our words, and what quantities cost, in cents."""

    rate: Row
    costs: dict[str, int]
    tiers: tuple[tuple[str, str, str, str], ...] = ()
    product: Row = field(default_factory=dict)


# start, up_to, unit_amount, flat_amount, in dollars. The fonts of the page on tiers:
FONTS = (("0", "5", "7", ""), ("5", "10", "6.50", ""), ("10", "", "6", ""))
# The same with fees of 10, 5 and 2.50.
FEES = (("0", "5", "7", "10"), ("5", "10", "6.50", "5"), ("10", "", "6", "2.50"))

BY_FIVE = {"quantity_conversion": "divide", "conversion_factor": "5"}

PRICES = {
    # tiers_mode=graduated: each unit at the price of the tier it falls in.
    "graduated": Price(
        {"price_model": "graduated"},
        {
            "0": 0,
            "1": 700,  # stated
            "5": 3500,  # stated
            "6": 4150,  # 5 × 7 + 1 × 6.50
            "10": 6750,  # 5 × 7 + 5 × 6.50
            "11": 7350,  # 67.50 + 1 × 6
            "20": 12750,  # 67.50 + 10 × 6
            "25": 15750,  # 67.50 + 15 × 6
        },
        FONTS,
    ),
    # tiers_mode=volume: all units at the price of the tier the total falls in.
    "volume": Price(
        {"price_model": "volume"},
        {
            "0": 0,
            "1": 700,  # stated, as are 5, 6, 20 and 25
            "5": 3500,
            "6": 3900,
            "10": 6500,  # 10 × 6.50
            "11": 6600,  # 11 × 6
            "20": 12000,
            "25": 15000,
        },
        FONTS,
    ),
    # The fee of each tier that is entered; the first one's without usage too.
    "graduated-fees": Price(
        {"price_model": "graduated"},
        {
            "0": 1000,  # 10
            "1": 1700,  # 7 + 10
            "5": 4500,  # 35 + 10
            "6": 5650,  # 35 + 6.50 + 10 + 5
            "10": 8250,  # 35 + 32.50 + 10 + 5
            "11": 9100,  # 35 + 32.50 + 6 + 10 + 5 + 2.50
        },
        FEES,
    ),
    # Only the fee of the tier that the total falls in.
    "volume-fees": Price(
        {"price_model": "volume"},
        {
            "0": 1000,  # 10
            "1": 1700,  # 7 + 10
            "5": 4500,  # 35 + 10
            "6": 4400,  # 39 + 5
            "10": 7000,  # 65 + 5
            "11": 6850,  # 66 + 2.50
        },
        FEES,
    ),
    # Tiers with fees alone: the whole tier has one price.
    "graduated-fees-alone": Price(
        {"price_model": "graduated"},
        {"0": 1000, "5": 1000, "6": 1500},  # 10, 10, 10 + 5
        (("0", "5", "", "10"), ("5", "", "", "5")),
    ),
    "volume-fees-alone": Price(
        {"price_model": "volume"},
        {"0": 1000, "5": 1000, "6": 500},  # 10, 10, 5
        (("0", "5", "", "10"), ("5", "", "", "5")),
    ),
    # Up to 1,000 included, 0.04 for each one above.
    "overage": Price(
        {"price_model": "graduated"},
        {"0": 0, "1000": 0, "1001": 4, "1500": 2000},
        (("0", "1000", "0", ""), ("1000", "", "0.04", "")),
    ),
    # transform_quantity[divide_by]=5, [round]=up: 10 USD for 5 users or a part of them.
    # 1, 3, 5, 6 and 7 are stated.
    "up": Price(
        {"price_model": "flat", "unit_price": "10"},
        {"0": 0, "1": 1000, "3": 1000, "5": 1000, "6": 2000, "7": 2000},
        product={**BY_FIVE, "quantity_rounding": "up", "rounding_places": "0"},
    ),
    "package-up": Price(
        {"price_model": "package", "unit_price": "10", "package_size": "5"},
        {"0": 0, "1": 1000, "3": 1000, "5": 1000, "6": 2000, "7": 2000},
    ),
    # [round]=down: full fives only.
    "down": Price(
        {"price_model": "flat", "unit_price": "10"},
        {"0": 0, "4": 0, "5": 1000, "9": 1000, "10": 2000, "11": 2000},
        product={**BY_FIVE, "quantity_rounding": "down", "rounding_places": "0"},
    ),
    "package-down": Price(
        {
            "price_model": "package",
            "unit_price": "10",
            "package_size": "5",
            "package_rounding": "down",
        },
        {"0": 0, "4": 0, "5": 1000, "9": 1000, "10": 2000, "11": 2000},
    ),
    # The rented car, by the begun hour: 150 minutes are stated.
    "minutes": Price(
        {"price_model": "flat", "unit_price": "10"},
        {"60": 1000, "61": 2000, "150": 3000},
        product={
            "quantity_conversion": "divide",
            "conversion_factor": "60",
            "quantity_rounding": "up",
            "rounding_places": "0",
        },
    ),
    "package-minutes": Price(
        {"price_model": "package", "unit_price": "10", "package_size": "60"},
        {"60": 1000, "61": 2000, "150": 3000},
    ),
}


def pieces(quantity: int) -> list[int]:
    """Used on two days where it can be: Stripe prices the total of a period."""
    half = quantity // 2
    return [piece for piece in (half, quantity - half) if piece]


def write_price(tables: dict[str, list[Row]], name: str, price: Price) -> None:
    def add(table: str, **row: Any) -> None:
        tables.setdefault(table, []).append(row)

    add(
        "billable_metrics",
        metric_id=name,
        name=name,
        aggregation="SUM",
        aggregation_key="units",
        event_types=name,
    )
    add(
        "products",
        product_id=name,
        name=name,
        product_type="USAGE",
        metric_id=name,
        **price.product,
    )
    add("rate_cards", rate_card_id=name, name=name, currency="USD")
    add(
        "rates",
        rate_id=name,
        rate_card_id=name,
        product_id=name,
        starting_at=OCTOBER,
        **price.rate,
    )
    for start, end, unit_price, flat_amount in price.tiers:
        add(
            "rate_tiers",
            rate_id=name,
            tier_start=start,
            tier_end=end,
            unit_price=unit_price,
            flat_amount=flat_amount,
        )
    for quantity in price.costs:
        customer = f"{name}:{quantity}"
        add("customers", customer_id=customer, name=customer)
        add(
            "contracts",
            contract_id=customer,
            customer_id=customer,
            rate_card_id=name,
            starting_at=OCTOBER,
        )


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """`<price>:<quantity>` -> minor units of October's invoice."""
    folder = tmp_path_factory.mktemp("stripe") / "company"
    (folder / "events").mkdir(parents=True)
    (folder / "meterhouse.yml").write_text("")
    tables: dict[str, list[Row]] = {}
    for name, price in PRICES.items():
        write_price(tables, name, price)
    for table, content in tables.items():
        write(folder, table, content)
    events = [
        json.dumps(
            {
                "transaction_id": f"{name}:{quantity}:{day}",
                "customer_id": f"{name}:{quantity}",
                "event_type": name,
                "timestamp": f"2026-10-{10 + day}T12:00:00Z",
                "properties": {"units": str(piece)},
            }
        )
        for name, price in PRICES.items()
        for quantity in price.costs
        for day, piece in enumerate(pieces(int(quantity)))
    ]
    (folder / "events" / "usage.ndjson").write_text("\n".join(events) + "\n")
    run_metered(folder, "2026-11-02")
    lines = rows(
        folder,
        "select customer_id, lines.amount, lines.amount_minor "
        "from invoicing.invoice_lines as lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        "where invoices.period_start = timestamp '2026-10-01'",
    )
    # One line each, exact to the cent before it is rounded.
    assert all(line["amount"] == Decimal(line["amount_minor"]) / 100 for line in lines)
    assert len(lines) == len({line["customer_id"] for line in lines})
    return {line["customer_id"]: line["amount_minor"] for line in lines}


@pytest.mark.parametrize("name", PRICES)
def test_a_price_of_stripe_costs_what_stripe_charges(
    name: str, billed: dict[str, int]
) -> None:
    found = {
        customer.split(":")[1]: amount
        for customer, amount in billed.items()
        if customer.split(":")[0] == name
    }
    assert found == PRICES[name].costs
