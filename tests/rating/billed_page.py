"""A page of the docs whose sections are billed, each as a contract of its own.

A section has blocks of CSV: rows of catalog files, without the ids that all of its rows
share, `usage` (at, product, units, and group values), and what it comes to.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```csv (\w+)\n(.*?)^```$", re.M | re.S)
START = "2026-10-01T00:00Z"
Tables = dict[str, list[dict[str, Any]]]
PRODUCTS = {"tokens": "Tokens", "calls": "Calls"}
# Ids that a section may use as if it were alone.
OWN_IDS = (
    "discount_id",
    "minimum_id",
    "maximum_id",
    "override_id",
    "commit_id",
    "credit_id",
    "recurring_commit_id",
    "threshold_id",
    "subscription_id",
)
# Rows that belong to a row of another file, not to the contract.
PARTS = (
    "override_specifiers",
    "access_schedules",
    "grant_specifiers",
    "invoice_schedules",
    "subscription_quantities",
    "subscription_seats",
)
# File -> the id that names a grant, where a section gives it no other name.
GRANTS = {
    "commits": "commit_id",
    "credits": "credit_id",
    "recurring_commits": "recurring_commit_id",
}
NAMES = {
    **GRANTS,
    "thresholds": "threshold_id",
    "subscriptions": "subscription_id",
}


def sections(page: Path, outcome: str) -> dict[str, Tables]:
    """Heading -> name of a block -> its rows, of sections that have an outcome."""
    found = {}
    for part in page.read_text(encoding="utf-8").split("\n## ")[1:]:
        blocks = {
            name: list(csv.DictReader(io.StringIO(text)))
            for name, text in BLOCK.findall(part)
        }
        if outcome in blocks:
            found[part.split("\n")[0]] = blocks
    return found


def event(customer: str, product: str, at: str, units: str, **groups: str) -> str:
    """One line of NDJSON."""
    row = {
        "transaction_id": "-".join((customer, product, at, *groups.values())),
        "customer_id": customer,
        "event_type": product,
        "timestamp": at.replace("Z", ":00Z"),
        "properties": {"units": units, **groups},
    }
    return json.dumps(row) + "\n"


def price_book() -> Tables:
    """A unit of Tokens costs 0.25, one of Calls 0.10."""
    return {
        "billable_metrics": [
            {
                "metric_id": product,
                "name": name,
                "aggregation": "SUM",
                "aggregation_key": "units",
                "event_types": product,
                "group_keys": "user",
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
    """A card with the usual rates, but of usage that a section's own product bills."""
    known = {row["product_id"] for row in tables["products"]}
    own = [row for row in sold if row["product_id"] not in known]
    tables["products"] += own
    replaced = {row["metric_id"] for row in own}
    tables["rate_cards"].append({"rate_card_id": card, "name": card, "currency": "USD"})
    usual = [
        row
        for row in tables["rates"]
        if row["rate_card_id"] == "usd" and row["product_id"] not in replaced
    ]
    tables["rates"] += [
        {
            "starting_at": START,
            **row,
            "rate_card_id": card,
            "rate_id": f"{card}-{row['rate_id']}",
        }
        for row in [*usual, *rates]
    ]


def member(customer: str, child: str) -> str:
    """Customer and contract of a child, or of the section itself."""
    return f"{customer}-{child}" if child else customer


def contract_name(customer: str, row: Mapping[str, str]) -> str:
    """A section of one contract gives it no name."""
    return "-".join(filter(None, (customer, row.get("contract_id"))))


def own_contract(customer: str, heading: str, row: Mapping[str, str]) -> dict[str, str]:
    """A contract of a section; only where there are several they have names."""
    own = {
        **row,
        "contract_id": contract_name(customer, row),
        "customer_id": customer,
        "name": heading,
    }
    if row.get("renews_contract_id"):
        own["renews_contract_id"] = f"{customer}-{row['renews_contract_id']}"
    return own


def own_row(section: str, name: str, row: Mapping[str, str]) -> dict[str, str]:
    """A row of a section, told apart from those of the others."""
    own = dict(row)
    customer = member(section, own.pop("child", ""))
    for key in OWN_IDS:
        if own.get(key):
            own[key] = f"{section}-{own[key]}"
    if listed := own.get("child_contract_ids"):
        own["child_contract_ids"] = "|".join(
            member(section, child) for child in listed.split("|")
        )
    if named := own.get("commit_ids"):
        own["commit_ids"] = "|".join(f"{section}-{grant}" for grant in named.split("|"))
    if name not in PARTS:
        own["contract_id"] = contract_name(customer, row)
    if name in NAMES:
        own = {"name": row[NAMES[name]], **own}
    if name in ("commits", "credits"):
        own |= {"customer_id": customer, "currency": "USD"}
    if name == "commits":
        own = {"commit_type": "PREPAID", **own}
    # A grant without an amount has access segments, which have their own windows.
    if name not in PARTS and not (name in GRANTS and own["amount"] == ""):
        own.setdefault("starting_at", START)
    return own


def write_page(folder: Path, told: Mapping[str, Tables], outcome: str) -> None:
    """A workspace with a customer c0, c1 ... for each section, and c0-x for a child x
    of it, which has a contract on the same terms."""
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    tables = price_book()
    events = []
    for number, (heading, given) in enumerate(told.items()):
        blocks = {name: rows for name, rows in given.items() if name != outcome}
        customer = f"c{number}"
        members = ["", *(row["child"] for row in blocks.pop("children", []))]
        tables.setdefault("customers", []).extend(
            {"customer_id": member(customer, child), "name": heading}
            for child in members
        )
        events += [
            event(member(customer, row.pop("child", "")), **row)
            for row in map(dict, blocks.pop("usage"))
        ]
        tables["billable_metrics"] += blocks.pop("billable_metrics", [])
        if units := blocks.pop("pricing_units", []):
            tables.setdefault("pricing_units", []).extend(units)
        contracts = blocks.pop("contracts", [{"starting_at": START}])
        # A section with rates has a card of its own.
        card = customer if "rates" in blocks else "usd"
        if card != "usd":
            add_card(tables, card, blocks.pop("rates"), blocks.pop("products"))
        if worth := blocks.pop("pricing_unit_conversions", []):
            tables.setdefault("pricing_unit_conversions", []).extend(
                {"rate_card_id": card, "starting_at": START, **row} for row in worth
            )
        tables.setdefault("contracts", []).extend(
            {
                "rate_card_id": card,
                "parent_contract_id": customer if child else "",
                **own_contract(member(customer, child), heading, row),
            }
            for child in members
            for row in contracts
        )
        for name, block in blocks.items():
            tables.setdefault(name, []).extend(
                own_row(customer, name, row) for row in block
            )
    for name, table in tables.items():
        columns = list(dict.fromkeys(column for row in table for column in row))
        with (folder / "catalog" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(table)
    (folder / "events" / "usage.ndjson").write_text("".join(events))
