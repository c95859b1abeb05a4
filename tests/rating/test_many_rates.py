"""A price list of 200,000 rows: one product, 1,000 models in 200 regions.

The preflight and a whole run must take it in seconds: what grows with rows times rows
is found here, not by the first company with such a list.
"""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest

from tests.rating.metered import OCTOBER, run_metered, write
from tests.support import rows

MODELS, REGIONS = 1000, 200
EVENTS = 4000
# (model, region) -> units and cents, by hand. The price is the model's number plus a
# thousandth of the region's; where their sum is odd, units above ten cost 0.50.
BY_HAND = {
    ("m0012", "r034"): (3, 3610),  # 3 × 12.034 = 36.102
    ("m0012", "r035"): (15, 12285),  # 10 × 12.035 + 5 × 0.50
    ("m0013", "r000"): (10, 13000),  # 10 × 13, exactly on the bound
    ("m0999", "r199"): (1, 99920),  # 999.199, the last row
    ("m0000", "r000"): (7, 0),  # the first row costs nothing
}
# Nobody has a price for these: a model of the list elsewhere, and one of no list.
UNPRICED = [("m0012", "r200"), ("m1000", "r000")]


def price(model: int, region: int) -> Decimal:
    return model + Decimal(region) / 1000


def write_catalog(folder: Path) -> None:
    write(folder, "customers", [{"customer_id": "acme", "name": "Acme"}])
    write(
        folder,
        "billable_metrics",
        [
            {
                "metric_id": "units",
                "name": "Units",
                "aggregation": "SUM",
                "aggregation_key": "units",
                "group_keys": "model+region",
            }
        ],
    )
    write(
        folder,
        "products",
        [
            {
                "product_id": "units",
                "name": "Units",
                "product_type": "USAGE",
                "metric_id": "units",
                "pricing_group_keys": "model|region",
            }
        ],
    )
    write(
        folder,
        "rate_cards",
        [{"rate_card_id": "list", "name": "List", "currency": "USD"}],
    )
    write(
        folder,
        "contracts",
        [
            {
                "contract_id": "acme",
                "customer_id": "acme",
                "rate_card_id": "list",
                "starting_at": OCTOBER,
            }
        ],
    )
    rates, tiers = [], []
    for model in range(MODELS):
        for region in range(REGIONS):
            rate_id = f"m{model:04}-r{region:03}"
            is_tiered = (model + region) % 2 == 1
            unit_price = str(price(model, region))
            rates.append(
                {
                    "rate_id": rate_id,
                    "rate_card_id": "list",
                    "product_id": "units",
                    "pricing_group_values": f"model=m{model:04}|region=r{region:03}",
                    "price_model": "graduated" if is_tiered else "flat",
                    "unit_price": "" if is_tiered else unit_price,
                    "starting_at": OCTOBER,
                }
            )
            if is_tiered:
                for start, end, cost in (("0", "10", unit_price), ("10", "", "0.5")):
                    tiers.append(
                        {
                            "rate_id": rate_id,
                            "tier_start": start,
                            "tier_end": end,
                            "unit_price": cost,
                        }
                    )
    write(folder, "rates", rates)
    write(folder, "rate_tiers", tiers)


def usage() -> dict[tuple[str, str], int]:
    """Units of each combination: those by hand, and thousands at random."""
    dice = random.Random(7)
    used = {pair: units for pair, (units, _) in BY_HAND.items()}
    used |= dict.fromkeys(UNPRICED, 5)
    while len(used) < EVENTS:
        pair = (f"m{dice.randrange(MODELS):04}", f"r{dice.randrange(REGIONS):03}")
        used.setdefault(pair, dice.randint(1, 30))
    return used


def expected_cents(pair: tuple[str, str], units: int) -> int:
    model, region = (int(name[1:]) for name in pair)
    amount = units * price(model, region)
    if (model + region) % 2:
        amount = min(units, 10) * price(model, region) + max(units - 10, 0) / Decimal(2)
    return int((amount * 100 + Decimal("0.5")) // 1)


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many-rates") / "company"
    (folder / "events").mkdir(parents=True)
    (folder / "meterhouse.yml").write_text("")
    write_catalog(folder)
    lines = [
        json.dumps(
            {
                "transaction_id": f"{model}-{region}",
                "customer_id": "acme",
                "event_type": "use",
                "timestamp": f"2026-10-{1 + number % 31:02}T10:00:00Z",
                "properties": {
                    "units": str(units),
                    "model": model,
                    "region": region,
                },
            }
        )
        for number, ((model, region), units) in enumerate(usage().items())
    ]
    (folder / "events" / "usage.ndjson").write_text("\n".join(lines) + "\n")
    run_metered(folder, "2026-11-02")
    return folder


def test_each_line_has_the_price_of_its_row(billed: Path) -> None:
    found = {
        tuple(json.loads(line["pricing_group_values"]).values()): line["amount_minor"]
        for line in rows(
            billed,
            "select * from invoicing.invoice_lines where line_type = 'usage' "
            "and period_start = timestamp '2026-10-01'",
        )
    }
    assert {pair: found[pair] for pair in BY_HAND} == {
        pair: cents for pair, (_, cents) in BY_HAND.items()
    }
    assert found == {
        pair: expected_cents(pair, units)
        for pair, units in usage().items()
        if pair not in UNPRICED
    }


def test_what_has_no_price_is_unbilled_and_said_so(billed: Path) -> None:
    assert [
        (row["pricing_group_values"], row["quantity"], row["reason"])
        for row in rows(
            billed,
            "select pricing_group_values, sum(quantity) as quantity, reason "
            "from invoicing.unbilled_usage group by all order by 1",
        )
    ] == [
        (f'{{"model":"{model}","region":"{region}"}}', 5, "no_rate")
        for model, region in UNPRICED
    ]
