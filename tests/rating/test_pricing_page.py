"""docs/pricing.md is billed: its rows are the catalog, its tables the amounts."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.billing_run import check_workspace
from orchestration.workspace import Workspace
from tests.rating.reference_rater import minor_units
from tests.support import rows, run_until_close

PAGE = Path(__file__).parents[2] / "docs" / "pricing.md"
BLOCK = re.compile(r"^```csv (\w+)\n(.*?)^```$", re.M | re.S)
AMOUNT = re.compile(r"^\| ([0-9.]+) \| ([0-9.]+) \|", re.M)
SOURCES = PAGE.parents[1] / "dbt_project/models/staging/_catalog__sources.yml"


@dataclass(frozen=True)
class Example:
    """One rate of the page, its tiers, and (quantity, amount) of its table."""

    rate: dict[str, str]
    tiers: list[dict[str, str]]
    amounts: list[tuple[Decimal, Decimal]]


def examples() -> list[Example]:
    found: list[Example] = []
    page = PAGE.read_text(encoding="utf-8")
    starts = [match.start() for match in BLOCK.finditer(page) if match[1] == "rates"]
    for start, end in zip(starts, [*starts[1:], len(page)], strict=True):
        part = page[start:end]
        blocks = {
            name: list(csv.DictReader(io.StringIO(text)))
            for name, text in BLOCK.findall(part)
        }
        (rate,) = blocks["rates"]
        amounts = [(Decimal(q), Decimal(a)) for q, a in AMOUNT.findall(part)]
        found.append(Example(rate, blocks.get("rate_tiers", []), amounts))
    return found


def write(folder: Path, name: str, table: list[dict[str, str]]) -> None:
    columns = list(dict.fromkeys(column for row in table for column in row))
    with (folder / "catalog" / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(table)


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Decimal, int]]:
    """Customer `<example>-<row>` -> exact amount and minor units of its line."""
    folder = tmp_path_factory.mktemp("page") / "company"
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    tables: dict[str, list[dict[str, str]]] = {
        "billable_metrics": [
            {
                "metric_id": "units",
                "name": "Units",
                "aggregation": "SUM",
                "aggregation_key": "units",
            }
        ],
        "products": [
            {
                "product_id": "units",
                "name": "Units",
                "product_type": "USAGE",
                "metric_id": "units",
            }
        ],
    }
    events = []
    start = "2026-10-01T00:00Z"
    for number, example in enumerate(examples()):
        card = f"card-{number}"
        names = {"rate_card_id": card, "name": card, "currency": "USD"}
        tables.setdefault("rate_cards", []).append(names)
        rate = {"rate_id": card, "rate_card_id": card, "product_id": "units"}
        tables.setdefault("rates", []).append(
            {**rate, "starting_at": start, **example.rate}
        )
        tables.setdefault("rate_tiers", []).extend(
            {"rate_id": card, **tier} for tier in example.tiers
        )
        for row, (quantity, _) in enumerate(example.amounts):
            customer = f"{number}-{row}"
            tables.setdefault("customers", []).append(
                {"customer_id": customer, "name": customer}
            )
            contract = {"contract_id": customer, "customer_id": customer}
            tables.setdefault("contracts", []).append(
                {**contract, "rate_card_id": card, "starting_at": start}
            )
            if quantity:
                events.append(
                    {
                        "transaction_id": customer,
                        "customer_id": customer,
                        "event_type": "use",
                        "timestamp": "2026-10-05T10:00:00Z",
                        "properties": {"units": str(quantity)},
                    }
                )
    for name, table in tables.items():
        write(folder, name, table)
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events" / "usage.ndjson").write_text(lines)
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", backfill=True)
    return {
        line["customer_id"]: (line["amount"], line["amount_minor"])
        for line in rows(
            folder,
            "select invoices.customer_id, lines.amount, lines.amount_minor "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            "where invoices.period_start = timestamp '2026-10-01'",
        )
    }


def test_each_amount_of_the_page_is_what_is_billed(
    billed: dict[str, tuple[Decimal, int]],
) -> None:
    told = {
        f"{number}-{row}": (amount, minor_units(amount, 2))
        for number, example in enumerate(examples())
        for row, (_, amount) in enumerate(example.amounts)
    }
    assert len(told) > 20
    assert billed == told


def test_each_price_model_is_on_the_page() -> None:
    listed = re.search(r"values: \[(flat[^]]*)\]", SOURCES.read_text(encoding="utf-8"))
    assert listed
    models = [name.strip() for name in listed[1].split(",")]
    # A composite prices charges, not quantities: docs/limits.md.
    models.remove("percentage")
    sections = re.findall(r"^## (\w+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert sections == models
    assert [example.rate["price_model"] for example in examples()] == [
        name for name in models for _ in range(2 if name == "package" else 1)
    ]
