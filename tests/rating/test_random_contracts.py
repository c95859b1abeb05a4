"""Many random contracts in one build: every line as the reference rater has it."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import check_workspace
from orchestration.dbt_runner import Dbt
from orchestration.workspace import Workspace
from tests.rating.random_contracts import (
    CURRENCIES,
    MODELS,
    ONE_PRICE,
    UNITS,
    USAGE_LINES,
    Account,
    billed_lines,
    company_of,
    expected_lines,
    random_accounts,
    unit_of,
    values_of,
    write_workspace,
)
from tests.rating.reference_rater import at_12_places, minor_units
from tests.support import rows, run_until_close

SEED = 20261101
CUSTOMERS = 1000


@pytest.fixture(scope="module")
def billed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Account]]:
    folder = tmp_path_factory.mktemp("random") / "company"
    dice = random.Random(SEED)
    accounts = random_accounts(dice, CUSTOMERS)
    write_workspace(folder, *company_of(accounts), dice)
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", schema_tests=True, backfill=True)
    return folder, accounts


def test_every_line_is_as_the_reference_rater_has_it(
    billed: tuple[Path, dict[str, Account]],
) -> None:
    folder, accounts = billed
    found = billed_lines(rows(folder, USAGE_LINES))
    expected = expected_lines(accounts)
    assert len(expected) > 8000
    assert set(found) == set(expected)
    wrong = {
        key: (found[key], expected[key]) for key in found if found[key] != expected[key]
    }
    assert wrong == {}


def test_units_are_turned_into_money_once(
    billed: tuple[Path, dict[str, Account]],
) -> None:
    folder, accounts = billed
    owed: dict[tuple[str, str], Decimal] = {}
    for (customer, product, *_), (_, amount, _) in expected_lines(accounts).items():
        if unit := unit_of(customer, product):
            owed[customer, unit] = owed.get((customer, unit), Decimal(0)) + amount
    expected = {
        (customer, unit): (
            quantity,
            at_12_places(quantity * UNITS[unit]),
            minor_units(
                at_12_places(quantity * UNITS[unit]),
                CURRENCIES[accounts[customer].currency],
            ),
        )
        for (customer, unit), quantity in owed.items()
    }
    found = {
        (line["customer_id"], line["pricing_unit_id"]): (
            line["quantity"],
            line["amount"],
            line["amount_minor"],
        )
        for line in rows(
            folder,
            "select lines.*, invoices.customer_id "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            "where invoices.period_start = timestamp '2026-10-01' "
            "and lines.line_type = 'cpu_conversion'",
        )
    }
    assert len(found) > 150
    assert found == expected
    assert any(minor for _, _, minor in found.values())


def test_events_of_a_line_add_up_to_its_quantity(
    billed: tuple[Path, dict[str, Account]],
) -> None:
    folder, accounts = billed
    lines = rows(
        folder,
        "select line_id, quantity, customer_id, product_id, pricing_group_values, "
        "presentation_group_values from invoicing.invoice_lines "
        "inner join invoicing.invoices using (invoice_id) "
        "where line_type = 'usage' and invoice_lines.period_start = "
        "timestamp '2026-10-01'",
    )
    dbt = Dbt(Workspace.load(folder), variables={"as_of": "2026-11-01T01:00:00"})
    listed: dict[str, list[dict[str, Any]]] = {line["line_id"]: [] for line in lines}
    for event in rows(folder, dbt.compile("{{ invoice_line_events() }}")):
        listed[event["line_id"]].append(event)
    for line in lines:
        events = listed[line["line_id"]]
        values = (
            *values_of(line["pricing_group_values"]),
            *values_of(line["presentation_group_values"]),
        )
        (used,) = [
            mine.usage
            for mine in accounts[line["customer_id"]].lines[line["product_id"]]
            if (*mine.values.values(), *mine.shown_values.values()) == values
        ]
        assert [event["metered_share"] for event in events] == [
            use.quantity for use in sorted(used, key=lambda use: use.at)
        ]
        assert sum(event["share"] for event in events) == line["quantity"]


def test_every_price_model_was_met(billed: tuple[Path, dict[str, Account]]) -> None:
    folder, _ = billed
    met = rows(
        folder,
        "select price_model, charge, override_id is not null as overridden, "
        "count(*) as n from invoicing.invoice_sub_lines group by all",
    )
    for model in MODELS:
        for overridden in (True, False):
            charges = {
                row["charge"]: row["n"]
                for row in met
                if (row["price_model"], row["overridden"]) == (model, overridden)
            }
            assert charges["unit"] > 50
            assert charges["free"] > 5
            if model not in ONE_PRICE:
                assert charges["flat"] > 10
    for charge in ("fee", "event_minimum", "event_maximum"):
        assert sum(row["n"] for row in met if row["charge"] == charge) > 20
