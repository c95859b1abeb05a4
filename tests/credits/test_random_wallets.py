"""Random grants on random charges in one build: every draw as the reference has it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.credits.random_wallets import daily_credit, random_account
from tests.credits.reference_wallet import (
    Charge,
    Draw,
    Segment,
    burn_key,
    burn_order,
    charge_key,
    draw,
    draw_in_order,
)
from tests.credits.wallet_accounts import (
    HOUR,
    NOVEMBER,
    TAGS,
    Account,
    draw_key,
    expected_draws,
    wallets_of,
)
from tests.credits.wallet_company import company_of
from tests.rating.random_contracts import write_workspace
from tests.support import rows, run_until_close

SEED = 20261105
CUSTOMERS = 480
DEEP, BY_DAY, BY_HOUR = "c9060", "c9365", "c9366"

BURN_LEVELS = (
    "promises last",
    "priority",
    "cost basis",
    "product applicability",
    "usage applicability",
    "ending_before",
    "starting_at",
    "applicable contracts",
    "created_at",
    "grant id",
    "grant type",
)
CHARGE_LEVELS = (
    "planned close",
    "contract",
    "usage before composite",
    "line start",
    "unit price",
    "product name",
    "pricing values",
    "presentation values",
    "time",
)

DRAWS = """
select
    grants.grant_type,
    grants.grant_id,
    grants.starting_at,
    invoices.customer_id,
    lines.product_id,
    lines.pricing_group_values,
    lines.presentation_group_values,
    draws.slice_start,
    draws.amount_minor
from (
    select segment_id, line_id, slice_id, slice_start, amount_minor
    from staging.stg_books__credit_drawdowns
    union
    select segment_id, line_id, slice_id, slice_start, amount_minor
    from credits.credit_drawdowns
) as draws
left join credits.credit_grants as grants on draws.segment_id = grants.segment_id
left join invoicing.invoice_lines as lines on draws.line_id = lines.line_id
left join invoicing.invoices as invoices on lines.invoice_id = invoices.invoice_id
"""

Draws = Mapping[tuple[Any, ...], int]


@pytest.fixture(scope="module")
def accounts() -> dict[str, Account]:
    dice = random.Random(SEED)
    found = {}
    for number in range(1, CUSTOMERS + 1):
        grants = 20 if number % 40 == 0 else dice.randint(0, 6)
        customer = f"c{number:04}"
        found[customer] = random_account(dice, customer, grants)
    found[DEEP] = random_account(dice, DEEP, 60)
    for customer, hour in ((BY_DAY, 0), (BY_HOUR, 6)):
        found[customer] = random_account(dice, customer, 0)
        first = datetime(2026, 1, 1, hour)
        credit = daily_credit(found[customer], f"{customer}-daily", first)
        found[customer].grants.append(credit)
    return found


@pytest.fixture(scope="module")
def company(
    tmp_path_factory: pytest.TempPathFactory, accounts: dict[str, Account]
) -> Path:
    folder = tmp_path_factory.mktemp("random") / "company"
    write_workspace(folder, *company_of(accounts), random.Random(SEED))
    run_until_close(folder, "2026-11-01T01:00", schema_tests=True, backfill=True)
    return folder


@pytest.fixture(scope="module")
def drawn(company: Path) -> Draws:
    return found_draws(company)


def found_draws(folder: Path) -> dict[tuple[Any, ...], int]:
    return draws_of(rows(folder, DRAWS))


def draws_of(table: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], int]:
    """What a query for the draws found, by what was drawn and what it paid."""
    found: dict[tuple[Any, ...], int] = {}
    for row in table:
        key = (
            row["customer_id"],
            row["grant_type"],
            row["grant_id"],
            without_zone(row["starting_at"]),
            row["product_id"],
            pairs(row["pricing_group_values"]),
            pairs(row["presentation_group_values"]),
            without_zone(row["slice_start"]),
        )
        assert key not in found, f"drawn twice: {key}"
        found[key] = row["amount_minor"]
    return found


def without_zone(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


def pairs(group_values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(json.loads(group_values).items()))


def of(draws: Draws, *customers: str) -> Draws:
    return {key: amount for key, amount in draws.items() if key[0] in customers}


def differences(found: Draws, expected: Draws) -> str:
    """The customers with the fewest draws among those that differ, each in full."""
    wrong: dict[str, list[tuple[Any, ...]]] = {}
    for key in found.keys() | expected.keys():
        wrong.setdefault(key[0], []).append(key)
    wrong = {
        customer: sorted(keys, key=str)
        for customer, keys in wrong.items()
        if of(found, customer) != of(expected, customer)
    }
    texts = [f"{len(wrong)} customers differ"]
    for customer in sorted(wrong, key=lambda customer: len(wrong[customer]))[:3]:
        texts.append(f"{customer}: expected, found, grant and slice")
        for key in wrong[customer]:
            mine, its = expected.get(key), found.get(key)
            grant, segment_start, line, at = key[1:3], key[3], key[4:7], key[7]
            texts.append(
                f"{' ' if mine == its else '*'} {mine or '-':>9} {its or '-':>9}  "
                f"{' '.join(grant)} of {segment_start} paid {line} at {at}"
            )
    return "\n".join(texts)


def test_every_draw_is_as_the_reference_has_it(
    accounts: dict[str, Account], drawn: Draws
) -> None:
    expected = expected_draws(accounts)
    assert len(expected) > 3000
    assert drawn == expected, differences(drawn, expected)


def test_promises_lower_no_invoice(
    company: Path, accounts: dict[str, Account], drawn: Draws
) -> None:
    """What is drawn on promises shows on the lines and is owed all the same."""
    applied: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for key, amount in expected_draws(accounts).items():
        (counted if key[1] == "POSTPAID_COMMIT" else applied)[key[0]] += amount
    assert len(counted) > 50
    found = rows(
        company,
        """
        select
            customer_id,
            sum(lines.amount_minor) filter (
                where lines.line_type = 'applied_postpaid_commit'
            ) as counted,
            sum(lines.amount_minor) filter (
                where lines.line_type = 'applied_commit_or_credit'
            ) as applied,
            any_value(heads.owed) as owed
        from invoicing.invoice_lines as lines
        inner join invoicing.invoices using (invoice_id)
        inner join (
            select customer_id, sum(usage_minor - total_minor) as owed
            from invoicing.invoices
            group by 1
        ) as heads using (customer_id)
        group by 1
        """,
    )
    assert {row["customer_id"] for row in found} == set(accounts)
    for row in found:
        customer = row["customer_id"]
        assert -(row["counted"] or 0) == counted[customer], customer
        assert -(row["applied"] or 0) == applied[customer], customer
        assert row["owed"] == applied[customer], customer


def test_what_a_promise_is_short_of_is_trued_up(
    company: Path, accounts: dict[str, Account]
) -> None:
    """What the draws left of each promise that ended by 1 November, 01:00."""
    kept: Counter[str] = Counter()
    for key, amount in expected_draws(accounts).items():
        if key[1] == "POSTPAID_COMMIT":
            kept[key[2]] += amount
    short = {}
    for account in accounts.values():
        for given in account.grants:
            (segment, *_) = given.segments()
            left = segment.amount - kept[given.grant.grant_id]
            ended = segment.ending_before and segment.ending_before <= NOVEMBER + HOUR
            if given.trueup_contract and ended and left:
                short[given.grant.grant_id] = left
    assert len(short) > 20
    trueups = rows(
        company,
        "select grant_id, -amount_minor as short from credits.credit_ledger "
        "where entry_type = 'POSTPAID_COMMIT_TRUEUP'",
    )
    assert {row["grant_id"]: row["short"] for row in trueups} == short
    assert rows(
        company,
        "select sum(usage_minor) as total from invoicing.invoices "
        "where invoice_type = 'TRUEUP'",
    ) == [{"total": sum(short.values())}]


def test_a_wallet_may_be_deep(accounts: dict[str, Account], drawn: Draws) -> None:
    expected = of(expected_draws(accounts), DEEP)
    assert len({key[1:4] for key in expected}) > 20
    assert of(drawn, DEEP) == expected, differences(of(drawn, DEEP), expected)


@pytest.mark.parametrize("customer", [BY_DAY, BY_HOUR])
def test_a_balance_a_day_is_gone_the_next(drawn: Draws, customer: str) -> None:
    """Only the balance of its own 24 hours pays a slice."""
    mine = of(drawn, customer)
    assert len({key[3] for key in mine}) > 5
    for key, amount in mine.items():
        assert key[3] <= key[7] < key[3] + timedelta(days=1)
        assert amount <= 137


def without(
    accounts: Mapping[str, Account],
    *,
    burn_level: int | None = None,
    charge_level: int | None = None,
) -> Draws:
    """What would be drawn if a level of one of the two orders did not count: ties that
    are left are broken the other way round."""

    def burn(segment: Segment) -> tuple[Any, ...]:
        return cut(burn_key(segment, TAGS), burn_level)

    def charged(charge: Charge) -> tuple[Any, ...]:
        return cut(charge_key(charge), charge_level)

    def draws(charges: list[Charge], segments: list[Segment]) -> list[Draw]:
        ranked = sorted(burn_order(segments, TAGS)[::-1], key=burn)
        ordered = sorted(sorted(charges, key=charge_key)[::-1], key=charged)
        return draw_in_order(ordered, ranked, TAGS)

    return {
        draw_key(customer, one): one.amount
        for customer, account in accounts.items()
        for charges, segments in wallets_of(account).values()
        for one in draws(charges, segments)
    }


def cut(key: tuple[Any, ...], level: int | None) -> tuple[Any, ...]:
    return key if level is None else key[:level] + key[level + 1 :]


def customers_that_differ(one: Draws, other: Draws) -> set[str]:
    return {key[0] for key, _ in one.items() ^ other.items()}


def test_every_level_of_the_orders_decides_somewhere(
    accounts: dict[str, Account],
) -> None:
    """A wrong or missing level would be seen in the draws of some customers."""
    expected = expected_draws(accounts)
    assert without(accounts) == expected
    for number, level in enumerate(BURN_LEVELS):
        draws = without(accounts, burn_level=number)
        assert len(customers_that_differ(draws, expected)) > 3, level
    for number, level in enumerate(CHARGE_LEVELS):
        draws = without(accounts, charge_level=number)
        assert len(customers_that_differ(draws, expected)) > 3, level


def test_edges_are_met(accounts: dict[str, Account]) -> None:
    """Balances used up exactly, slices at the very start and end of a segment."""
    exact = at_start = at_end = 0
    for account in accounts.values():
        for charges, segments in wallets_of(account).values():
            for segment in segments:
                at_start += sum(one.at == segment.starting_at for one in charges)
                at_end += sum(one.at == segment.ending_before for one in charges)
            paid: dict[Segment, list[Draw]] = {}
            for one in draw(charges, segments, TAGS):
                paid.setdefault(one.segment, []).append(one)
            exact += sum(
                sum(one.amount for one in draws) == segment.amount
                and draws[-1].amount == draws[-1].charge.amount
                for segment, draws in paid.items()
            )
    assert exact > 20
    assert at_start > 50
    assert at_end > 50
