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
# A use is a quantity, and what its event holds besides: `5 model=large + 2 at=...`.
AMOUNT = re.compile(r"^\| ([0-9][^|]*?) \| (-?[0-9.]+) \|", re.M)
SOURCES = PAGE.parents[1] / "dbt_project/models/staging/_catalog__sources.yml"
START = "2026-10-01T00:00Z"

Row = dict[str, str]


@dataclass(frozen=True)
class Example:
    """The rows of one example of the page, and (uses, amount) of its table."""

    number: int
    blocks: dict[str, list[Row]]
    amounts: list[tuple[list[Row], Decimal]]

    @property
    def keys(self) -> list[str]:
        (product,) = self.blocks.get("products", [{}])[:1]
        cells = (
            product.get("pricing_group_keys"),
            product.get("presentation_group_keys"),
        )
        return [key for cell in cells if cell for key in cell.split("|")]


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
        amounts = [(uses(cell), Decimal(a)) for cell, a in AMOUNT.findall(part)]
        found.append(Example(len(found), blocks, amounts))
    return found


def uses(cell: str) -> list[Row]:
    found = []
    for use in cell.split(" + "):
        quantity, *rest = use.split()
        found.append({"units": quantity, **dict(pair.split("=") for pair in rest)})
    return found


def write(folder: Path, name: str, table: list[Row]) -> None:
    columns = list(dict.fromkeys(column for row in table for column in row))
    with (folder / "catalog" / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(table)


def catalog(example: Example) -> dict[str, list[Row]]:
    """The example's rows with the ids that the page leaves out."""
    name = f"example-{example.number}"
    tables: dict[str, list[Row]] = {
        "billable_metrics": [
            {
                "metric_id": name,
                "name": name,
                "aggregation": "SUM",
                "aggregation_key": "units",
                "event_types": name,
                "group_keys": "+".join(example.keys),
            }
        ],
        "rate_cards": [{"rate_card_id": name, "name": name, "currency": "USD"}],
    }
    product = {"product_id": name, "name": name, "product_type": "USAGE"}
    tables["products"] = [
        {**product, "metric_id": name, **row}
        for row in example.blocks.get("products", [{}])
    ]
    tables["rates"] = [
        {
            "rate_id": f"{name}-{number or ''}",
            "rate_card_id": name,
            "product_id": name,
            "starting_at": START,
            **row,
        }
        for number, row in enumerate(example.blocks["rates"])
    ]
    tables["rate_tiers"] = [
        {"rate_id": f"{name}-", **row} for row in example.blocks.get("rate_tiers", [])
    ]
    tables["pricing_units"] = example.blocks.get("pricing_units", [])
    tables["pricing_unit_conversions"] = [
        {"rate_card_id": name, "starting_at": START, **row}
        for row in example.blocks.get("pricing_unit_conversions", [])
    ]
    for row, _ in enumerate(example.amounts):
        customer = f"{example.number}-{row}"
        own = {"contract_id": customer}
        zone = example.blocks.get("customers", [{}])[0]
        tables.setdefault("customers", []).append(
            {"customer_id": customer, "name": customer, **zone}
        )
        tables.setdefault("contracts", []).append(
            {**own, "customer_id": customer, "rate_card_id": name, "starting_at": START}
        )
        for override in example.blocks.get("overrides", []):
            override_id = {"override_id": f"{customer}-{override['override_id']}"}
            tables.setdefault("overrides", []).append(
                {**own, "starting_at": START, **override, **override_id}
            )
        for table in ("override_specifiers", "override_tiers"):
            for line in example.blocks.get(table, []):
                override_id = {"override_id": f"{customer}-{line['override_id']}"}
                about = {"product_id": name} if table == "override_specifiers" else {}
                tables.setdefault(table, []).append({**about, **line, **override_id})
    return tables


def events(example: Example) -> list[dict[str, object]]:
    return [
        {
            "transaction_id": f"{example.number}-{row}-{number}",
            "customer_id": f"{example.number}-{row}",
            "event_type": f"example-{example.number}",
            "timestamp": use.get("at", f"2026-10-05T{10 + number}:00:00Z"),
            "properties": {key: value for key, value in use.items() if key != "at"},
        }
        for row, (used, _) in enumerate(example.amounts)
        for number, use in enumerate(used)
        if Decimal(use["units"])
    ]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each row of each table is a customer `<example>-<row>`; October is closed."""
    folder = tmp_path_factory.mktemp("page") / "company"
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    tables: dict[str, list[Row]] = {}
    for example in examples():
        for name, table in catalog(example).items():
            tables.setdefault(name, []).extend(table)
    for name, table in tables.items():
        if table:
            write(folder, name, table)
    lines = [json.dumps(event) for example in examples() for event in events(example)]
    (folder / "events" / "usage.ndjson").write_text("\n".join(lines) + "\n")
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", backfill=True)
    return folder


def test_each_amount_of_the_page_is_what_is_billed(company: Path) -> None:
    billed = {
        line["customer_id"]: (line["amount"], line["amount_minor"])
        for line in rows(
            company,
            "select invoices.customer_id, sum(lines.amount) as amount, "
            "cast(sum(lines.amount_minor) as bigint) as amount_minor "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            "where invoices.period_start = timestamp '2026-10-01' "
            "and (lines.line_type <> 'usage' or lines.pricing_unit_id is null) "
            "group by 1",
        )
    }
    told = {
        f"{example.number}-{row}": (amount, minor_units(amount, 2))
        for example in examples()
        for row, (_, amount) in enumerate(example.amounts)
    }
    assert len(told) > 20
    assert billed == told


def test_each_invoice_of_the_page_is_that_of_its_first_row(company: Path) -> None:
    shown = {
        example.number: example.blocks["invoice"]
        for example in examples()
        if "invoice" in example.blocks
    }
    assert shown
    for number, invoice in shown.items():
        lines = rows(
            company,
            "select line_name, lines.pricing_group_values, lines.quantity, "
            "lines.amount, pricing_unit_id, line_type, lines.amount_minor "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            f"where invoices.customer_id = '{number}-0' "
            "and invoices.period_start = timestamp '2026-10-01' order by line_number",
        )
        assert [
            (
                line["line_name"],
                "|".join(
                    f"{key}={value}"
                    for key, value in json.loads(line["pricing_group_values"]).items()
                ),
                line["quantity"],
                line["amount"],
                (line["line_type"] == "usage" and line["pricing_unit_id"]) or "USD",
                line["amount_minor"],
            )
            for line in lines
        ] == [
            (
                line["line"],
                line["values"],
                Decimal(line["quantity"]),
                Decimal(line["amount"]),
                line["in"],
                minor_units(Decimal(line["billed"]), 2),
            )
            for line in invoice
        ]


def test_each_price_model_is_on_the_page() -> None:
    listed = re.search(r"values: \[(flat[^]]*)\]", SOURCES.read_text(encoding="utf-8"))
    assert listed
    models = [name.strip() for name in listed[1].split(",")]
    page = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", page, re.M) == models
    for model in models:
        section = page.split(f"\n## {model}\n")[1].split("\n## ")[0]
        assert f"\n{model}" in section or f",{model}," in section
