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
from tests.support import rows, run_until_close

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


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Heading -> (line, exact amount) in the order of the invoice."""
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
        for use, row in enumerate(blocks.pop("usage")):
            events.append(
                {
                    "transaction_id": f"{customer}-{use}",
                    "customer_id": customer,
                    "event_type": row["product"],
                    "timestamp": row["at"].replace("Z", ":00Z"),
                    "properties": {"units": row["units"]},
                }
            )
        contract = blocks.pop("contracts", [{"starting_at": START}])[0]
        tables.setdefault("contracts", []).append(
            {
                "contract_id": customer,
                "customer_id": customer,
                "name": heading,
                "rate_card_id": "usd",
                **contract,
            }
        )
        del blocks["invoice"]
        for name, block in blocks.items():
            for row in block:
                key = f"{name[:-1]}_id"
                tables.setdefault(name, []).append(
                    {
                        "contract_id": customer,
                        "starting_at": START,
                        **row,
                        key: f"{customer}-{row[key]}",
                    }
                )
    for name, table in tables.items():
        columns = list(dict.fromkeys(column for row in table for column in row))
        with (folder / "catalog" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(table)
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events" / "usage.ndjson").write_text(lines)
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-02T01:00", backfill=True)
    found: dict[str, list[Any]] = {}
    for line in rows(
        folder,
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
