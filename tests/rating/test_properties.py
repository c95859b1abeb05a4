"""Laws of every price: splitting usage changes nothing, more usage never costs less.

Each example bills many random prices in one build, each for three customers: one uses a
quantity at once, one the same in pieces over hours and files in any order, one more.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.billing_run import check_workspace
from orchestration.workspace import Workspace
from tests.rating.random_contracts import (
    LONG_AGO,
    OCTOBER,
    Tables,
    random_rate,
    steps,
    terms,
    window,
    write_workspace,
)
from tests.rating.reference_rater import Rate, is_per_event
from tests.support import rows, run_until_close

PRICES = 60


def random_price(dice: random.Random) -> Rate:
    """Any price but those that look at single events or days: pieces are no whole."""
    rate = random_rate(dice, LONG_AGO, None)
    while is_per_event(rate):
        rate = random_rate(dice, LONG_AGO, None)
    return replace(rate, free_units_reset="period")


def pieces(dice: random.Random, total: Decimal) -> list[Decimal]:
    cuts = sorted(
        Decimal(dice.randint(0, int(total * 1000))).scaleb(-3)
        for _ in range(dice.randint(1, 6))
    )
    bounds = [Decimal(0), *cuts, total]
    return [b - a for a, b in zip(bounds, bounds[1:], strict=False) if b > a]


def write_company(folder: Path, dice: random.Random) -> list[Rate]:
    prices = [random_price(dice) for _ in range(PRICES)]
    tables: Tables = {
        "billable_metrics": [
            {
                "metric_id": "units",
                "name": "units",
                "aggregation": "SUM",
                "aggregation_key": "units",
            }
        ],
        "products": [
            {
                "product_id": "units",
                "name": "units",
                "product_type": "USAGE",
                "metric_id": "units",
            }
        ],
    }
    events = []
    for number, rate in enumerate(prices):
        card = f"card{number}"
        tables.setdefault("rate_cards", []).append(
            {"rate_card_id": card, "name": card, "currency": "KWD"}
        )
        tables.setdefault("rates", []).append(
            {
                "rate_id": card,
                "rate_card_id": card,
                "product_id": "units",
                **window(rate),
                **terms(rate),
            }
        )
        tables.setdefault("rate_tiers", []).extend(
            {"rate_id": card, **tier} for tier in steps(rate)
        )
        bounds = [tier.end for tier in rate.tiers if tier.end] or [Decimal(40)]
        total = dice.choice(bounds) + Decimal(dice.choice(("-0.001", "0", "0.001")))
        extra = Decimal(dice.randint(1, 30_000)).scaleb(-3)
        uses = {"whole": [total], "split": pieces(dice, total), "more": [total, extra]}
        for who, quantities in uses.items():
            customer = f"{who}{number}"
            tables.setdefault("customers", []).append(
                {"customer_id": customer, "name": customer}
            )
            tables.setdefault("contracts", []).append(
                {
                    "contract_id": customer,
                    "customer_id": customer,
                    "rate_card_id": card,
                    "starting_at": "2026-10-01T00:00Z",
                }
            )
            for piece, quantity in enumerate(quantities):
                at = OCTOBER.start + timedelta(hours=dice.randint(0, OCTOBER.hours - 1))
                events.append(
                    {
                        "transaction_id": f"{customer}-{piece}",
                        "customer_id": customer,
                        "event_type": "use",
                        "timestamp": at.isoformat() + "Z",
                        "properties": {"units": str(quantity)},
                    }
                )
    write_workspace(folder, tables, events, dice)
    return prices


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=1,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_splits_add_up_and_more_usage_never_costs_less(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("properties") / "company"
    prices = write_company(folder, random.Random(seed))
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", backfill=True)
    billed = {
        line["customer_id"]: (line["quantity"], line["amount"], line["amount_minor"])
        for line in rows(
            folder,
            "select invoices.customer_id, quantity, amount, amount_minor "
            "from invoicing.invoice_lines inner join invoicing.invoices "
            "using (invoice_id) "
            "where invoice_lines.period_start = timestamp '2026-10-01'",
        )
    }
    for number, rate in enumerate(prices):
        whole, split, more = (
            billed[f"{who}{number}"] for who in ("whole", "split", "more")
        )
        assert split == whole, rate
        if rate.model != "volume":
            assert more[1] >= whole[1], rate
            assert more[2] >= whole[2], rate
