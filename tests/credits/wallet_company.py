"""Catalog and events of customers with grants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.credits.wallet_accounts import HOUR, PRODUCTS, Account, Contract, Given
from tests.rating.random_contracts import LONG_AGO, Tables, cell, instant


def company_of(accounts: Mapping[str, Account]) -> tuple[Tables, list[dict[str, Any]]]:
    """Catalog and events of the accounts."""
    tables: Tables = {}
    events: list[dict[str, Any]] = []
    add_products(tables)
    for customer, account in accounts.items():
        add(tables, "customers", customer_id=customer, name=customer)
        for contract in account.contracts:
            add_contract(tables, customer, contract)
            events += usage_events(customer, contract)
        for given in account.grants:
            add_grant(tables, customer, given)
    return tables, events


def add(tables: Tables, table: str, **row: Any) -> None:
    tables.setdefault(table, []).append(row)


def add_products(tables: Tables) -> None:
    tables["pricing_units"] = [
        {"pricing_unit_id": "credits", "pricing_unit_name": "credits"}
    ]
    for product_id, product in PRODUCTS.items():
        keys = ["kind"] * bool(product.kinds) + ["team"] * bool(product.teams)
        if not product.is_composite:
            add(
                tables,
                "billable_metrics",
                metric_id=product_id,
                name=product_id,
                aggregation="SUM",
                aggregation_key="units",
                event_types=product_id,
                group_keys="+".join(keys),
            )
        add(
            tables,
            "products",
            product_id=product_id,
            name=product.name,
            product_type="COMPOSITE" if product.is_composite else "USAGE",
            metric_id="" if product.is_composite else product_id,
            pricing_group_keys="kind" if product.kinds else "",
            presentation_group_keys="team" if product.teams else "",
            tags="|".join(sorted(product.tags)),
            composite_product_ids="|".join(product.part_ids),
            composite_tags=product.part_tag,
        )


def add_contract(tables: Tables, customer: str, contract: Contract) -> None:
    card = contract.contract_id
    add(tables, "rate_cards", rate_card_id=card, name=card, currency=contract.currency)
    add(
        tables,
        "contracts",
        contract_id=card,
        customer_id=customer,
        rate_card_id=card,
        starting_at=instant(contract.starting_at),
        ending_before=instant(contract.ending_before),
        billing_day="CONTRACT_START" if contract.is_anchored_at_start else "",
        grace_hours=contract.grace // HOUR,
    )
    if contract.has_minimum:
        add(
            tables,
            "minimums",
            minimum_id=card,
            contract_id=card,
            scope="contract",
            amount=500,
            starting_at=instant(LONG_AGO),
        )
    if any(PRODUCTS[line.product].unit for line in contract.lines):
        add(
            tables,
            "pricing_unit_conversions",
            rate_card_id=card,
            pricing_unit_id="credits",
            starting_at=instant(LONG_AGO),
            amount_per_unit="0.7",
        )
    priced = {
        (line.product, line.pricing_values): line.prices for line in contract.lines
    }
    for (product_id, values), prices in priced.items():
        starts = sorted(prices)
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            product = PRODUCTS[product_id]
            add(
                tables,
                "rates",
                rate_id="-".join(
                    [card, product_id, *dict(values).values(), f"{start:%m%d%H}"]
                ),
                rate_card_id=card,
                product_id=product_id,
                price_model="percentage" if product.is_composite else "flat",
                pricing_group_values=cell(dict(values)),
                unit_price=prices[start],
                pricing_unit_id=product.unit,
                starting_at=instant(start),
                ending_before=instant(end),
            )


def add_grant(tables: Tables, customer: str, given: Given) -> None:
    grant = given.grant
    is_commit = grant.grant_type != "CREDIT"
    own = {"commit_id" if is_commit else "credit_id": grant.grant_id}
    one_contract = len(grant.contract_ids) == 1 and len(given.schedule) == 1
    row: dict[str, Any] = {
        **own,
        "customer_id": customer,
        "contract_id": "".join(grant.contract_ids) if one_contract else "",
        "name": grant.grant_id,
        "currency": given.currency,
        "priority": "" if grant.priority is None else grant.priority,
        "applicable_product_ids": listed(grant.product_ids),
        "applicable_product_tags": listed(grant.product_tags),
        "applicable_contract_ids": "" if one_contract else listed(grant.contract_ids),
        "created_at": instant(grant.created_at),
    }
    if grant.is_promise:
        row["commit_type"] = "POSTPAID"
        add_trueup(tables, row, given)
    elif is_commit:
        row["commit_type"] = "PREPAID"
        row["invoice_amount"] = grant.invoice_amount or ""
    for amount, start, end in given.schedule:
        access = {
            "amount": f"{amount:f}",
            "starting_at": instant(start),
            "ending_before": instant(end),
        }
        if len(given.schedule) == 1:
            row |= access
        else:
            add(tables, "access_schedules", **own, **access)
    add(tables, "commits" if is_commit else "credits", **row)
    for specifier in grant.specifiers:
        add(
            tables,
            "grant_specifiers",
            **own,
            product_id=specifier.product_id,
            product_tags=listed(specifier.product_tags),
            pricing_group_values=cell(dict(specifier.pricing_values)),
            presentation_group_values=cell(dict(specifier.presentation_values)),
        )


def add_trueup(tables: Tables, row: dict[str, Any], given: Given) -> None:
    ((amount, _, end),) = given.schedule
    if not given.trueup_contract:
        row["is_trueup_disabled"] = "true"
        return
    row["invoice_contract_id"] = given.trueup_contract
    add(
        tables,
        "invoice_schedules",
        commit_id=given.grant.grant_id,
        amount=f"{amount:f}",
        invoice_at=instant(end),
    )


def listed(names: Iterable[str]) -> str:
    return "|".join(sorted(names))


def usage_events(customer: str, contract: Contract) -> list[dict[str, Any]]:
    return [
        {
            "transaction_id": f"{contract.contract_id}-{number}-{use}",
            "customer_id": customer,
            "event_type": line.product,
            "timestamp": instant(at),
            "properties": {
                **dict(line.pricing_values),
                **dict(line.presentation_values),
                "units": str(quantity),
            },
        }
        for number, line in enumerate(contract.lines)
        for use, (at, quantity) in enumerate(line.usage)
    ]
