"""docs/limits.md is billed, each of its sections as a contract of its own."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import check_workspace
from orchestration.workspace import Workspace
from tests.support import copy_of, rows, run_until_close

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
BLOCK = re.compile(r"^```csv (\w+)\n(.*?)^```$", re.M | re.S)
START = "2026-10-01T00:00Z"
Tables = dict[str, list[dict[str, Any]]]
PRODUCTS = {"tokens": "Tokens", "calls": "Calls"}


def sections() -> dict[str, Tables]:
    """Heading -> name of a block -> its rows."""
    found = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        blocks = {
            name: list(csv.DictReader(io.StringIO(text)))
            for name, text in BLOCK.findall(part)
        }
        if "invoice" in blocks:
            found[part.split("\n")[0]] = blocks
    return found


def event(customer: str, product: str, at: str, units: str) -> str:
    """One line of NDJSON."""
    row = {
        "transaction_id": f"{customer}-{product}-{at}",
        "customer_id": customer,
        "event_type": product,
        "timestamp": at.replace("Z", ":00Z"),
        "properties": {"units": units},
    }
    return json.dumps(row) + "\n"


def price_book() -> Tables:
    return {
        "billable_metrics": [
            {
                "metric_id": product,
                "name": name,
                "aggregation": "SUM",
                "aggregation_key": "units",
                "event_types": product,
            }
            for product, name in PRODUCTS.items()
        ],
        "products": [
            {
                "product_id": product,
                "name": name,
                "product_type": "USAGE",
                "metric_id": product,
            }
            for product, name in PRODUCTS.items()
        ],
        "rate_cards": [{"rate_card_id": "usd", "name": "usd", "currency": "USD"}],
        "rates": [
            {
                "rate_id": product,
                "rate_card_id": "usd",
                "product_id": product,
                "price_model": "flat",
                "unit_price": price,
                "starting_at": START,
            }
            for product, price in (("tokens", "0.25"), ("calls", "0.10"))
        ],
    }


def add_card(
    tables: Tables, card: str, rates: list[dict[str, str]], sold: list[dict[str, str]]
) -> None:
    known = {row["product_id"] for row in tables["products"]}
    tables["products"] += [row for row in sold if row["product_id"] not in known]
    tables["rate_cards"].append({"rate_card_id": card, "name": card, "currency": "USD"})
    usual = [row for row in tables["rates"] if row["rate_card_id"] == "usd"]
    tables["rates"] += [
        {
            "starting_at": START,
            **row,
            "rate_card_id": card,
            "rate_id": f"{card}-{row['rate_id']}",
        }
        for row in [*usual, *rates]
    ]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is closed."""
    folder = tmp_path_factory.mktemp("limits") / "company"
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    tables = price_book()
    events = []
    for number, (heading, blocks) in enumerate(sections().items()):
        customer = f"c{number}"
        tables.setdefault("customers", []).append(
            {"customer_id": customer, "name": heading}
        )
        events += [
            event(customer, row["product"], row["at"], row["units"])
            for row in blocks.pop("usage")
        ]
        contract = blocks.pop("contracts", [{"starting_at": START}])[0]
        # A section with rates has a card of its own.
        card = customer if "rates" in blocks else "usd"
        if card != "usd":
            add_card(tables, card, blocks.pop("rates"), blocks.pop("products"))
        tables.setdefault("contracts", []).append(
            {
                "contract_id": customer,
                "customer_id": customer,
                "name": heading,
                "rate_card_id": card,
                **contract,
            }
        )
        del blocks["invoice"]
        for name, block in blocks.items():
            for row in block:
                key = "override_id" if "override" in name else f"{name[:-1]}_id"
                own = {**row, key: f"{customer}-{row[key]}"}
                if name != "override_specifiers":
                    own |= {"contract_id": customer}
                    own.setdefault("starting_at", START)
                tables.setdefault(name, []).append(own)
    for name, table in tables.items():
        columns = list(dict.fromkeys(column for row in table for column in row))
        with (folder / "catalog" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(table)
    (folder / "events" / "usage.ndjson").write_text("".join(events))
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-02T01:00", backfill=True)
    return folder


@pytest.fixture(scope="module")
def billed(company: Path) -> dict[str, list[Any]]:
    """Heading -> (line, exact amount) in the order of the invoice."""
    found: dict[str, list[Any]] = {}
    for line in rows(
        company,
        "select invoices.customer_name, lines.line_name, lines.amount "
        "from invoicing.invoice_lines as lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        "where invoices.period_end = timestamp '2026-11-01' "
        "and invoices.status = 'FINALIZED' "
        "order by invoices.invoice_id, lines.line_number",
    ):
        found.setdefault(line["customer_name"], []).append(
            (line["line_name"], line["amount"])
        )
    return found


@pytest.mark.parametrize("heading", sections())
def test_each_invoice_of_the_page_is_what_is_billed(
    heading: str, billed: dict[str, list[Any]]
) -> None:
    told = sections()[heading]["invoice"]
    assert billed[heading] == [(row["line"], Decimal(row["amount"])) for row in told]


def test_stripe_is_told_each_line(company: Path, billed: dict[str, list[Any]]) -> None:
    """In cents, in the order of the invoice, with a total of 60.00."""
    assert billed
    told = rows(
        company,
        "select lines.line_type, lines.stripe_amount, lines.description "
        "from publishing.stripe_invoice_line_requests as lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        "where invoices.customer_name = 'A composite' order by lines.position",
    )
    assert [tuple(row.values()) for row in told] == [
        ("usage", 1000, "Calls - quantity 100"),
        ("usage", 4000, "Tokens - quantity 200"),
        ("composite", 750, "Support"),
        ("minimum", 250, "Minimum of A composite"),
    ]


def test_a_closed_month_is_rated_again_on_its_own_discounts_and_limits(
    company: Path, billed: dict[str, list[Any]]
) -> None:
    """The catalog has none of them any more when 40 tokens, 10.00, come late for "One
    invoice": 110 - 20 = 90, less 10 % 81.00 instead of 72.00, and the minimum lacks
    150 - 131 = 19.00 instead of 28.00.

    Of "The first charges" 20 tokens, 5.00, come before all the rest: with 15.00 of
    tokens the 20.00 are used up. Calls lose half of 8.00 and of 2.00: 4 + 7 = 11.00
    instead of 8.50.

    40 tokens of "A composite at list prices" are 10.00 at list, 4.00 to pay: 1.50 and
    0.60 of support.
    """
    assert billed
    late = copy_of(company, company.parent / "late")
    for name in (
        *("discounts", "maximums", "minimums"),
        *("overrides", "override_specifiers"),
    ):
        (late / "catalog" / f"{name}.csv").unlink()
    customers = {heading: f"c{number}" for number, heading in enumerate(sections())}
    one, first = customers["One invoice"], customers["The first charges"]
    listed = customers["A composite at list prices"]
    (late / "events" / "late.ndjson").write_text(
        event(one, "tokens", "2026-10-20T10:30Z", "40")
        + event(first, "tokens", "2026-10-05T09:00Z", "20")
        + event(listed, "tokens", "2026-10-20T10:30Z", "40")
    )

    run_until_close(late, "2026-11-03T01:00")

    found = {
        (row["customer_id"], row["product_id"]): row
        for row in rows(late, "select * from invoicing.late_usage")
    }
    assert all(row["is_reproduced"] for row in found.values())
    assert {key: row["correction_minor"] for key, row in found.items()} == {
        (one, "tokens"): 900,
        (one, None): -900,
        (first, "tokens"): 0,
        (first, "calls"): 250,
        (listed, "tokens"): 400,
        (listed, "list_support"): 150,
        (listed, "paid_support"): 60,
    }
