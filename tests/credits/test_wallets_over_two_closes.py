"""Random wallets through two closes: what October left in the books pays November, as
the reference has it that goes through both months at once."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.credits.random_wallets import random_account
from tests.credits.test_random_wallets import differences, found_draws
from tests.credits.wallet_accounts import (
    DECEMBER,
    HOUR,
    NOVEMBER,
    PRODUCTS,
    Account,
    Contract,
    expected_draws,
)
from tests.credits.wallet_company import company_of, usage_events
from tests.rating.random_contracts import write_workspace
from tests.support import rows, run_until_close

SEED = 20261201
CUSTOMERS = 140
A_MONTH_ON = timedelta(days=30)


def november(contract: Contract) -> Contract | None:
    """The same contract a period later, with the usage of 30 days before."""
    if contract.ending_before and contract.ending_before <= NOVEMBER:
        return None
    lines = []
    for line in contract.lines:
        usage = [(at + A_MONTH_ON, quantity) for at, quantity in line.usage]
        usage = [one for one in usage if NOVEMBER <= one[0] < DECEMBER]
        if usage or PRODUCTS[line.product].is_composite:
            lines.append(replace(line, usage=tuple(usage)))
    return replace(contract, starting_at=NOVEMBER, lines=lines)


@pytest.fixture(scope="module")
def octobers() -> dict[str, Account]:
    dice = random.Random(SEED)
    found = {}
    for number in range(1, CUSTOMERS + 1):
        account = random_account(dice, f"d{number:04}", dice.randint(2, 8))
        account.contracts = [
            replace(contract, is_anchored_at_start=False)
            for contract in account.contracts
        ]
        found[f"d{number:04}"] = account
    return found


@pytest.fixture(scope="module")
def both_months(octobers: dict[str, Account]) -> dict[str, Account]:
    return {
        customer: replace(
            account,
            contracts=account.contracts
            + [later for one in account.contracts if (later := november(one))],
        )
        for customer, account in octobers.items()
    }


@pytest.fixture(scope="module")
def company(
    tmp_path_factory: pytest.TempPathFactory,
    octobers: dict[str, Account],
    both_months: dict[str, Account],
) -> Path:
    """October closed on 2 November, and November on 1 December."""
    folder = tmp_path_factory.mktemp("closes") / "company"
    write_workspace(folder, *company_of(octobers), random.Random(SEED))
    run_until_close(folder, "2026-11-02T12:00", backfill=True)
    events = [
        {**event, "transaction_id": f"november-{event['transaction_id']}"}
        for customer, account in both_months.items()
        for contract in account.contracts
        if contract.starting_at == NOVEMBER
        for event in usage_events(customer, contract)
    ]
    path = folder / "events" / "november.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    run_until_close(folder, "2026-12-01T01:00", backfill=True)
    return folder


def test_every_draw_of_both_months_is_as_the_reference_has_it(
    company: Path, both_months: dict[str, Account]
) -> None:
    expected = expected_draws(both_months, DECEMBER + HOUR)
    found = found_draws(company)
    assert found == expected, differences(found, expected)
    # Segments that were drawn on in both months, and promises among them.
    months: dict[tuple[str, str, datetime], set[int]] = {}
    for key in expected:
        months.setdefault(key[1:4], set()).add(key[7].month)
    carried = [segment for segment, drawn in months.items() if drawn == {10, 11}]
    assert len(carried) > 20
    assert any(kind == "POSTPAID_COMMIT" for kind, _, _ in carried)


def test_october_was_closed_before(company: Path) -> None:
    closed = rows(
        company,
        "select count(distinct close_id) as closes from books.credit_drawdowns",
    )
    assert closed == [{"closes": 2}]
