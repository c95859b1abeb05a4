"""Random parents and children in one build: every draw as the reference has it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.credits.random_families import (
    Family,
    company_of_families,
    random_family,
)
from tests.credits.reference_wallet import Draw, draw
from tests.credits.test_random_wallets import differences, found_draws
from tests.credits.wallet_accounts import TAGS, draw_key
from tests.rating.random_contracts import write_workspace
from tests.support import rows, run_until_close

SEED = 20261121
FAMILIES = 100


@pytest.fixture(scope="module")
def families() -> dict[str, Family]:
    dice = random.Random(SEED)
    names = [f"f{number:03}" for number in range(1, FAMILIES + 1)]
    return {name: random_family(dice, name) for name in names}


@pytest.fixture(scope="module")
def company(
    tmp_path_factory: pytest.TempPathFactory, families: dict[str, Family]
) -> Path:
    folder = tmp_path_factory.mktemp("families") / "company"
    tables, events = company_of_families(families)
    write_workspace(folder, tables, events, random.Random(SEED))
    run_until_close(folder, "2026-11-01T01:00", schema_tests=True, backfill=True)
    return folder


def draws_of(family: Family) -> list[Draw]:
    return [
        one
        for charges, segments in family.wallets().values()
        for one in draw(charges, segments, TAGS)
    ]


def keyed(family: Family) -> dict[tuple[object, ...], int]:
    return {
        draw_key(family.customer_of(one.charge), one): one.amount
        for one in draws_of(family)
    }


@pytest.fixture(scope="module")
def expected(families: dict[str, Family]) -> dict[str, dict[tuple[object, ...], int]]:
    """Family -> its draws."""
    return {name: keyed(family) for name, family in families.items()}


def test_every_draw_is_as_the_reference_has_it(
    company: Path, expected: dict[str, dict[tuple[object, ...], int]]
) -> None:
    told = {key: amount for draws in expected.values() for key, amount in draws.items()}
    drawn = found_draws(company)
    assert len(told) > 2000
    assert drawn == told, differences(drawn, told)


def test_the_ledger_is_of_who_owns_the_grant(
    company: Path, families: dict[str, Family]
) -> None:
    owed: Counter[str] = Counter()
    for family in families.values():
        for one in draws_of(family):
            owed[one.segment.grant.grant_id.split("-")[0]] -= one.amount
    found = rows(
        company,
        "select customer_id, sum(amount_minor) as drawn from credits.credit_ledger "
        "where entry_type like '%DEDUCTION' group by 1",
    )
    assert {row["customer_id"]: row["drawn"] for row in found} == dict(owed)


def test_the_rules_decide_somewhere(
    families: dict[str, Family], expected: dict[str, dict[tuple[object, ...], int]]
) -> None:
    """Without what is shared, without lists, or with parents for ever in force, some
    families would draw otherwise."""
    edited = {
        "nothing is shared": {
            name: replace(family, access={}) for name, family in families.items()
        },
        "lists are for all": {
            name: replace(
                family,
                access={
                    key: ("ALL" if word == "CONTRACT_IDS" else word, listed)
                    for key, (word, listed) in family.access.items()
                },
            )
            for name, family in families.items()
        },
        "blank is for all": {
            name: replace(
                family,
                access={
                    key: (word or "ALL", listed)
                    for key, (word, listed) in family.access.items()
                },
            )
            for name, family in families.items()
        },
    }
    for rule, others in edited.items():
        differ = sum(keyed(other) != expected[name] for name, other in others.items())
        assert differ > 3, rule
    by_children = [
        one
        for family in families.values()
        for one in draws_of(family)
        if one.charge.contract_id in {child for child, *_ in one.segment.grant.children}
    ]
    assert len(by_children) > 300
    # Charges of a child beside a window of its parent's contract that is over.
    too_late = sum(
        charge.contract_id == child and not start <= charge.at < end
        for family in families.values()
        for charges, segments in family.wallets().values()
        for segment in segments
        for child, start, end in segment.grant.children
        for charge in charges
    )
    assert too_late > 50
