"""What commits and credits pay at prices of their own: commit rates, overrides for
commits, tiers that count on whoever pays, lists that cost nothing. The figures are
worked out by hand; every customer has one product, priced and used as CASES say."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from tests.rating.metered import OCTOBER, append, write, write_company
from tests.support import rows, run_until_close

HALF_DAY = "2026-10-10T12:00Z"
Columns = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """One customer, and what October's invoice says of it."""

    rate: Columns
    grants: Sequence[Columns]
    # Instant -> units.
    usage: Mapping[str, str]
    # Money of the usage line, what is left to pay of the invoice, what the draws would
    # have cost at list prices.
    line: str
    total: str
    # (grant, quantity, money) in the order of drawing.
    draws: Sequence[tuple[str, str, str]]
    tiers: Sequence[Columns] = ()
    overrides: Sequence[Columns] = ()
    specifiers: Sequence[Columns] = ()
    rates: Sequence[Columns] = field(default=())


AT_COMMIT_RATE = {"rate_type": "COMMIT_RATE"}
TIERS = (
    {"tier_start": "0", "tier_end": "1000", "unit_price": "0.1", "commit_rate": "0.08"},
    {"tier_start": "1000", "unit_price": "0.05", "commit_rate": "0.04"},
)
GRADUATED = {"price_model": "graduated", "unit_price": ""}

CASES: Mapping[str, Case] = {
    # 100 USD at 0.08 are 1250 units; the other 750 cost 0.10: 75.
    "flat": Case(
        {"unit_price": "0.1", "commit_rate": "0.08"},
        [{"amount": "100", **AT_COMMIT_RATE}],
        {"2026-10-05T10": "2000"},
        "175",
        "75",
        [("flat-1", "1250", "100")],
    ),
    # A grant at list prices beside one at commit rates, which comes first.
    "listed": Case(
        {"unit_price": "0.1", "commit_rate": "0.08"},
        [{"amount": "8", **AT_COMMIT_RATE}, {"amount": "20"}],
        {"2026-10-05T10": "400"},
        "38",
        "10",
        [("listed-1", "100", "8"), ("listed-2", "200", "20")],
    ),
    # 80 for the first thousand, 10 for 250 at 0.04; 250 more are past 1000: 12.50.
    "counter": Case(
        GRADUATED,
        [{"amount": "90", **AT_COMMIT_RATE}],
        {"2026-10-05T10": "1500"},
        "102.50",
        "12.50",
        [("counter-1", "1250", "90")],
        TIERS,
    ),
    # The other way about: what was paid at list has counted. 500 at 0.10 before the
    # commit begins; then 500 at 0.08 are 40, 500 at 0.04 are 20.
    "before": Case(
        GRADUATED,
        [{"amount": "90", "starting_at": "2026-10-12T00:00Z", **AT_COMMIT_RATE}],
        {"2026-10-05T10": "500", "2026-10-15T10": "1000"},
        "110",
        "50",
        [("before-1", "1000", "60")],
        TIERS,
    ),
    # Nothing past the commit costs anything: 10 USD at 0.02 are 500 of 800 units.
    "zero": Case(
        {"unit_price": "0", "commit_rate": "0.02"},
        [{"amount": "10", **AT_COMMIT_RATE}],
        {"2026-10-05T10": "800"},
        "10",
        "0",
        [("zero-1", "500", "10")],
    ),
    # Half price for one commit: 20 units for 10; then 10 for 10; 10 are left.
    "specific": Case(
        {"unit_price": "1"},
        [{"amount": "10", "priority": "1"}, {"amount": "10", "priority": "2"}],
        {"2026-10-05T10": "40"},
        "30",
        "10",
        [("specific-1", "20", "10"), ("specific-2", "10", "10")],
        overrides=[
            {
                "override_type": "multiplier",
                "multiplier": "0.5",
                "is_commit_specific": "true",
            }
        ],
        specifiers=[{"product_id": "specific", "commit_ids": "specific-1"}],
    ),
    # An overwrite for whatever commit beats the multiplier for commits, which beats the
    # contract's own: 20 for 5, 10 at 0.9.
    "overwritten": Case(
        {"unit_price": "1"},
        [{"amount": "5"}],
        {"2026-10-05T10": "30"},
        "14",
        "9",
        [("overwritten-1", "20", "5")],
        overrides=[
            {"override_type": "multiplier", "multiplier": "0.9"},
            {
                "override_type": "multiplier",
                "multiplier": "0.1",
                "is_commit_specific": "true",
            },
            {
                "override_type": "overwrite",
                "price_model": "flat",
                "unit_price": "0.25",
                "is_commit_specific": "true",
            },
        ],
        specifiers=[{}, {}, {"product_id": "overwritten"}],
    ),
    # What targets commit rates halves 0.8, what targets the list takes 0.9 of 1; the
    # commit-specific one targets the list, so nothing that pays commit rates.
    "target": Case(
        {"unit_price": "1", "commit_rate": "0.8"},
        [{"amount": "10", **AT_COMMIT_RATE}],
        {"2026-10-05T10": "40"},
        "23.50",
        "13.50",
        [("target-1", "25", "10")],
        overrides=[
            {
                "override_type": "multiplier",
                "multiplier": "0.5",
                "target": "COMMIT_RATE",
            },
            {"override_type": "multiplier", "multiplier": "0.9"},
            {
                "override_type": "multiplier",
                "multiplier": "0.1",
                "is_commit_specific": "true",
            },
        ],
    ),
    # Without a commit rate, list price and list overrides hold; what targets commit
    # rates is ignored.
    "absent": Case(
        {"unit_price": "1"},
        [{"amount": "9", **AT_COMMIT_RATE}],
        {"2026-10-05T10": "40"},
        "36",
        "27",
        [("absent-1", "10", "9")],
        overrides=[
            {
                "override_type": "multiplier",
                "multiplier": "0.5",
                "target": "COMMIT_RATE",
            },
            {"override_type": "multiplier", "multiplier": "0.9"},
        ],
    ),
    # 1 USD at 0.03 is a third of 100 units, to 12 places; of 5.00 at list 1.67 and 1.66
    # are covered, 1.67 is left.
    "thirds": Case(
        {"unit_price": "0.05", "commit_rate": "0.03"},
        [
            {"amount": "1", "priority": "1", **AT_COMMIT_RATE},
            {"amount": "1", "priority": "2", **AT_COMMIT_RATE},
        ],
        {"2026-10-05T10": "100"},
        "3.67",
        "1.67",
        [
            ("thirds-1", "33.333333333333", "1"),
            ("thirds-2", "33.333333333334", "1"),
        ],
    ),
    # A promise is kept at its own price, and owed.
    "promised": Case(
        {"unit_price": "1", "commit_rate": "0.5"},
        [{"amount": "100", "commit_type": "POSTPAID", **AT_COMMIT_RATE}],
        {"2026-10-05T10": "60"},
        "30",
        "30",
        [("promised-1", "60", "30")],
    ),
    # 50 at list; from the 16th on 0.05: 5 USD are 100 units, and 100 cost 10.
    "changed": Case(
        {"unit_price": "0.1", "ending_before": "2026-10-16T00:00Z"},
        [{"amount": "10", **AT_COMMIT_RATE}],
        {"2026-10-10T10": "50", "2026-10-20T10": "200"},
        "20",
        "10",
        [("changed-1", "150", "10")],
        rates=[
            {
                "unit_price": "0.1",
                "commit_rate": "0.05",
                "starting_at": "2026-10-16T00:00Z",
            }
        ],
    ),
    # What is taken back had been paid for by the commit: 30 of 40 units, 15 of 20.
    "taken-back": Case(
        {"unit_price": "1", "commit_rate": "0.5"},
        [{"amount": "100", **AT_COMMIT_RATE}],
        {"2026-10-10T10": "40", "2026-10-20T10": "-10"},
        "15",
        "0",
        [("taken-back-1", "30", "15")],
    ),
    "taken-from-nothing": Case(
        {"unit_price": "0", "commit_rate": "0.5"},
        [{"amount": "100", **AT_COMMIT_RATE}],
        {"2026-10-10T10": "40", "2026-10-20T10": "-10"},
        "15",
        "0",
        [("taken-from-nothing-1", "30", "15")],
    ),
    # Half price from noon on: 10 and 5.
    "noon": Case(
        {"unit_price": "1"},
        [{"amount": "100"}],
        {"2026-10-10T11": "10", "2026-10-10T12": "10"},
        "15",
        "0",
        [("noon-1", "20", "15")],
        overrides=[
            {
                "override_type": "multiplier",
                "multiplier": "0.5",
                "is_commit_specific": "true",
                "starting_at": HALF_DAY,
            }
        ],
    ),
    # An overwrite with tiers of its own, cut where neither list tier begins: 100 at
    # 0.5 and 400 at 0.2; then 100 at 0.1 of the list's first thousand: 140 in all.
    "bands": Case(
        GRADUATED,
        [{"amount": "130"}],
        {"2026-10-05T10": "600"},
        "140",
        "10",
        [("bands-1", "500", "130")],
        [
            {"tier_start": "0", "tier_end": "1000", "unit_price": "0.1"},
            {"tier_start": "1000", "unit_price": "0.05"},
        ],
        overrides=[
            {
                "override_type": "overwrite",
                "price_model": "graduated",
                "is_commit_specific": "true",
            }
        ],
        specifiers=[{"product_id": "bands"}],
    ),
}
BANDS = [
    {"tier_start": "0", "tier_end": "100", "unit_price": "0.5"},
    {"tier_start": "100", "unit_price": "0.2"},
]


def company(folder: Path) -> None:
    write_company(
        folder,
        [
            (
                name,
                {
                    "metric_id": name,
                    "aggregation": "SUM",
                    "aggregation_key": "units",
                    "event_types": name,
                },
            )
            for name in CASES
        ],
    )
    with (folder / "catalog" / "rates.csv").open(newline="") as file:
        rates = list(csv.DictReader(file))
    write(folder, "rates", [row | dict(CASES[row["rate_id"]].rate) for row in rates])
    first = {row["rate_id"]: row for row in rates}
    tables: dict[str, list[Columns]] = {
        "rates": [
            {**first[name], "rate_id": f"{name}-2", **row}
            for name, case in CASES.items()
            for row in case.rates
        ],
        "rate_tiers": [
            {"rate_id": name, **row}
            for name, case in CASES.items()
            for row in case.tiers
        ],
        "overrides": [
            {
                "override_id": f"{name}-{number}",
                "contract_id": name,
                "starting_at": OCTOBER,
                **row,
            }
            for name, case in CASES.items()
            for number, row in enumerate(case.overrides)
        ],
        "override_specifiers": [
            {"override_id": f"{name}-{number}", **row}
            for name, case in CASES.items()
            for number, row in enumerate(case.specifiers)
            if row
        ],
        "override_tiers": [{"override_id": "bands-0", **row} for row in BANDS],
        "commits": [
            {
                "commit_id": f"{name}-{number}",
                "name": name,
                "customer_id": name,
                "contract_id": name,
                "commit_type": "PREPAID",
                "currency": "USD",
                "starting_at": OCTOBER,
                "ending_before": "2026-11-01T00:00Z",
                **row,
            }
            for name, case in CASES.items()
            for number, row in enumerate(case.grants, 1)
        ],
        "invoice_schedules": [
            {
                "commit_id": "promised-1",
                "amount": "100",
                "invoice_at": "2026-11-01T00:00Z",
            }
        ],
    }
    for name, table in tables.items():
        append(folder, name, table)
    (folder / "events" / "usage.ndjson").write_text(
        "".join(
            json.dumps(
                {
                    "transaction_id": f"{name}-{at}",
                    "customer_id": name,
                    "event_type": name,
                    "timestamp": f"{at}:00:00Z",
                    "properties": {"units": units},
                }
            )
            + "\n"
            for name, case in CASES.items()
            for at, units in case.usage.items()
        )
    )


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company after October's close, laws and all."""
    folder = tmp_path_factory.mktemp("commit-rates") / "company"
    company(folder)
    run_until_close(folder, "2026-11-02T01:00", backfill=True)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_line_costs_what_each_payer_pays(closed: Path, name: str) -> None:
    case = CASES[name]
    (line,) = rows(
        closed,
        "select lines.amount, invoices.total_minor "
        "from invoicing.invoice_lines as lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        f"where lines.product_id = '{name}' and lines.line_type = 'usage' "
        "and invoices.status = 'FINALIZED'",
    )
    assert line["amount"] == Decimal(case.line)
    assert line["total_minor"] == int(Decimal(case.total) * 100)
    draws = rows(
        closed,
        "select grant_id, sum(quantity) as quantity, sum(draws.amount_minor) as minor "
        "from books.credit_drawdowns as draws "
        "inner join credits.credit_grants as grants using (segment_id) "
        f"where grants.customer_id = '{name}' group by 1 order by min(burn_rank)",
    )
    assert [(draw["grant_id"], draw["quantity"], draw["minor"]) for draw in draws] == [
        (grant, Decimal(quantity), int(Decimal(money) * 100))
        for grant, quantity, money in case.draws
    ]


def test_the_difference_to_the_list_is_a_sub_line(closed: Path) -> None:
    """1250 units are 125.00 at list and 100.00 at the commit rate."""
    assert rows(
        closed,
        "select subs.charge, subs.quantity, subs.amount "
        "from invoicing.invoice_sub_lines as subs "
        "inner join invoicing.invoice_lines as lines using (line_id) "
        "inner join invoicing.invoices as invoices "
        "on lines.invoice_id = invoices.invoice_id "
        "where lines.product_id = 'flat' and invoices.status = 'FINALIZED' "
        "order by subs.sub_line_number",
    ) == [
        {"charge": "unit", "quantity": Decimal(2000), "amount": Decimal(200)},
        {"charge": "commit_rate", "quantity": Decimal(0), "amount": Decimal(-25)},
    ]


def test_covered_and_overage_are_parts_of_the_line(closed: Path) -> None:
    assert rows(
        closed,
        "select parts.revenue_category, parts.quantity, parts.amount "
        "from invoicing.invoice_line_parts as parts "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        "where parts.product_id = 'counter' and invoices.status = 'FINALIZED' "
        "order by 1",
    ) == [
        {
            "revenue_category": "overage",
            "quantity": Decimal(250),
            "amount": Decimal("12.5"),
        },
        {
            "revenue_category": "prepaid_drawdown",
            "quantity": Decimal(1250),
            "amount": Decimal(90),
        },
    ]
