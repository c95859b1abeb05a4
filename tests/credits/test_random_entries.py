"""Random entries by hand on random grants: every draw, tranche by tranche, as the
reference has it. To it a tranche is a segment of the same grant that starts later,
right behind its own; what is taken comes off the first ones."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.ledger_entry import KIND, TARGET_TYPE
from orchestration.operations import Operations
from orchestration.workspace import Workspace
from tests.credits.random_wallets import random_account, some_hour
from tests.credits.reference_wallet import (
    Charge,
    Segment,
    burn_order,
    charge_key,
)
from tests.credits.test_random_wallets import differences, pairs, without_zone
from tests.credits.wallet_accounts import (
    HOUR,
    NOVEMBER,
    OCTOBER,
    TAGS,
    Account,
    Given,
    charges_of,
    hourly_days,
)
from tests.credits.wallet_company import company_of
from tests.rating.random_contracts import CURRENCIES, write_workspace
from tests.support import rows, run_until_close

SEED = 20261121
CUSTOMERS = 150
Entries = Mapping[Segment, list[tuple[datetime, int]]]

DRAWS = """
select
    draws.customer_id,
    grants.grant_type,
    grants.grant_id,
    grants.starting_at,
    tranches.starting_at as tranche_starting_at,
    lines.product_id,
    lines.pricing_group_values,
    lines.presentation_group_values,
    draws.slice_start,
    draws.amount_minor
from credits.credit_drawdowns as draws
left join credits.credit_grants as grants using (segment_id)
left join credits.tranche_balances as tranches using (tranche_id)
left join invoicing.invoice_lines as lines using (line_id)
"""


@pytest.fixture(scope="module")
def accounts() -> dict[str, Account]:
    dice = random.Random(SEED)
    customers = [f"c{number:04}" for number in range(1, CUSTOMERS + 1)]
    return {name: random_account(dice, name, dice.randint(1, 5)) for name in customers}


@pytest.fixture(scope="module")
def entries(accounts: dict[str, Account]) -> dict[Segment, list[tuple[datetime, int]]]:
    dice = random.Random(SEED)
    return {
        one: random_entries(dice, account, one)
        for account in accounts.values()
        for given in account.grants
        for one in given.segments()
        if dice.random() < 0.7
    }


def random_entries(
    dice: random.Random, account: Account, segment: Segment
) -> list[tuple[datetime, int]]:
    """Instants and signed minor amounts: up to two increases, and now and then
    something is taken in the last hour: a cent, all of the own amount or a cent more,
    or everything."""
    first = max(segment.starting_at, OCTOBER - 48 * HOUR) + HOUR
    last = min(segment.ending_before or NOVEMBER, NOVEMBER) - HOUR
    if first >= last:
        return []
    used = [
        charge.at
        for contract in account.contracts
        for charge in charges_of(contract)
        if first <= charge.at < last and charge.at.minute == 0
    ]
    amounts = [c.amount for one in account.contracts for c in charges_of(one)] or [5]
    # Two that begin together would be told apart by their ids alone.
    given = {
        dice.choice(used)
        if used and dice.random() < 0.6
        else some_hour(dice, first, last): dice.choice(amounts) // dice.randint(1, 4)
        + 1
        for _ in range(dice.randint(0, 2))
    }
    found = list(given.items())
    total = segment.amount + sum(given.values())
    taken = dice.choice(
        (0, 0, 1, segment.amount, segment.amount + 1, total, total // 2)
    )
    if taken:
        found.append((last, -min(taken, total)))
    return found


def tranches(segment: Segment, entries: Entries) -> list[Segment]:
    """In the order in which they pay."""
    mine = sorted(entries.get(segment, []))
    taken = -sum(amount for _, amount in mine if amount < 0)
    found = []
    for start, amount in [
        (segment.starting_at, segment.amount),
        *[(at, amount) for at, amount in mine if amount > 0],
    ]:
        off = min(taken, amount)
        taken -= off
        found.append(Segment(segment.grant, amount - off, start, segment.ending_before))
    assert taken == 0
    return found


def expected_draws(
    accounts: Mapping[str, Account], entries: Entries
) -> dict[tuple[Any, ...], int]:
    found: dict[tuple[Any, ...], int] = {}
    for customer, account in accounts.items():
        everything = [
            part
            for given in account.grants
            for one in given.segments()
            for part in tranches(one, entries)
        ]
        for currency in CURRENCIES:
            charges = [
                charge
                for contract in account.contracts
                if contract.currency == currency
                for charge in charges_of(contract, hourly_days(everything))
            ]
            segments = [
                one
                for given in account.grants
                if given.currency == currency
                for one in given.segments()
            ]
            owned = [
                (one, part)
                for one in burn_order(segments, TAGS)
                for part in tranches(one, entries)
            ]
            found |= {
                (customer, *key): amount for key, amount in draw(charges, owned).items()
            }
    return found


def draw(
    charges: list[Charge], owned: list[tuple[Segment, Segment]]
) -> dict[tuple[Any, ...], int]:
    """Charge by charge; `owned` are segments, each with one of its tranches."""
    found = {}
    balances = [part.amount for _, part in owned]
    for charge in sorted(charges, key=charge_key):
        left = charge.amount
        for number, (segment, part) in enumerate(owned):
            paid = min(left, balances[number])
            if paid > 0 and part.allows(charge, TAGS):
                left -= paid
                balances[number] -= paid
                key = (
                    segment.grant.grant_type,
                    segment.grant.grant_id,
                    segment.starting_at,
                    part.starting_at,
                    charge.product_id,
                    tuple(sorted(charge.pricing_values)),
                    tuple(sorted(charge.presentation_values)),
                    charge.at,
                )
                found[key] = paid
    return found


def enter(folder: Path, accounts: Mapping[str, Account], entries: Entries) -> None:
    operations = Operations.open(Workspace.load(folder))
    for account in accounts.values():
        for given in account.grants:
            for one in given.segments():
                for at, amount in entries.get(one, []):
                    units = Decimal(amount).scaleb(-CURRENCIES[given.currency])
                    operations.add_instruction(
                        kind=KIND,
                        target_type=TARGET_TYPE,
                        target_id=segment_id(given, one),
                        actor="ann",
                        reason="why",
                        created_at=OCTOBER.replace(tzinfo=UTC),
                        effective_at=at.replace(tzinfo=UTC),
                        details={"amount": f"{units:f}", "currency": given.currency},
                    )
    operations.close()


def segment_id(given: Given, segment: Segment) -> str:
    start = segment.starting_at.replace(tzinfo=UTC)
    micros = (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    key = "1" if len(given.schedule) == 1 else str(micros)
    grant = segment.grant
    named = f"{grant.grant_type}|{grant.grant_id}|{key}"
    return f"seg_{hashlib.sha256(named.encode()).hexdigest()[:24]}"


@pytest.fixture(scope="module")
def drawn(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: dict[str, Account],
    entries: Entries,
) -> dict[tuple[Any, ...], int]:
    folder = tmp_path_factory.mktemp("entries") / "company"
    write_workspace(folder, *company_of(accounts), random.Random(SEED))
    enter(folder, accounts, entries)
    run_until_close(folder, "2026-11-01T01:00", schema_tests=True, backfill=True)
    found: dict[tuple[Any, ...], int] = {}
    for row in rows(folder, DRAWS):
        key = (
            row["customer_id"],
            row["grant_type"],
            row["grant_id"],
            without_zone(row["starting_at"]),
            without_zone(row["tranche_starting_at"]),
            row["product_id"],
            pairs(row["pricing_group_values"]),
            pairs(row["presentation_group_values"]),
            without_zone(row["slice_start"]),
        )
        assert key not in found, f"drawn twice: {key}"
        found[key] = row["amount_minor"]
    return found


def test_every_draw_of_a_tranche_is_as_the_reference_has_it(
    accounts: dict[str, Account],
    entries: Entries,
    drawn: Mapping[tuple[Any, ...], int],
) -> None:
    expected = expected_draws(accounts, entries)
    # Increases are drawn on, and entries change what is drawn, often.
    assert sum(key[3] != key[4] for key in expected) > 100
    assert len(expected.items() ^ expected_draws(accounts, {}).items()) > 300
    assert drawn == expected, differences(drawn, expected)
