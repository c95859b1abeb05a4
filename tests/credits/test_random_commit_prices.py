"""Random grants that pay prices of their own, on random usage and prices, in one
build: every draw, its quantity, what it is worth at list prices and every line as the
reference has them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.credits.reference_prices import (
    NEVER,
    Account,
    Grant,
    Override,
    Product,
    Rate,
    Steps,
    bill,
)
from tests.rating.random_contracts import LONG_AGO, Tables, instant, write_workspace
from tests.support import rows, run_until_close

SEED = 20261121
CUSTOMERS = 300
OCTOBER, NOVEMBER = datetime(2026, 10, 1), datetime(2026, 11, 1)
HOUR = timedelta(hours=1)
EXPONENTS = {"USD": 2, "JPY": 0}
PRICES = ("1", "0.5", "0.25", "0.333", "0.0149", "0.02")
MULTIPLIERS = ("0.5", "0.9", "0.37", "1.25")
PRODUCTS = ("ape", "bat", "cow")
BOUNDS = ("10", "100", "250.5", "1000")


def some_hour(dice: random.Random) -> datetime:
    """Often a midnight, else any hour."""
    day = OCTOBER + timedelta(days=dice.randrange(31))
    return day if dice.random() < 0.5 else day + dice.randrange(24) * HOUR


def random_steps(dice: random.Random, bounds: tuple[Decimal, ...]) -> Steps:
    return {bound: Decimal(dice.choice(PRICES)) for bound in (Decimal(0), *bounds)}


def random_bounds(dice: random.Random) -> tuple[Decimal, ...]:
    if dice.random() < 0.5:
        return ()
    return tuple(sorted(map(Decimal, dice.sample(BOUNDS, dice.randint(1, 2)))))


def random_rate(dice: random.Random, start: datetime) -> Rate:
    bounds = random_bounds(dice)
    steps = random_steps(dice, bounds)
    if dice.random() < 0.2:
        steps = dict.fromkeys(steps, Decimal(0))
    commit_steps = None
    if dice.random() < 0.6:
        commit_steps = random_steps(dice, bounds if dice.random() < 0.6 else ())
    return Rate(start, steps, commit_steps)


def random_product(dice: random.Random, product_id: str) -> Product:
    rates = [random_rate(dice, LONG_AGO)]
    if dice.random() < 0.3:
        change = some_hour(dice)
        if change > OCTOBER:
            rates.append(random_rate(dice, change))
    usage = [
        (
            OCTOBER
            + dice.randrange(31 * 24) * HOUR
            + timedelta(seconds=dice.choice((0, 1800, 3599))),
            Decimal(dice.randint(1, 400_000)) / 1000,
        )
        for _ in range(dice.randint(1, 8))
    ]
    return Product(product_id, rates, usage)


def random_override(
    dice: random.Random, products: list[Product], grants: list[Grant]
) -> Override:
    start = some_hour(dice) if dice.random() < 0.4 else LONG_AGO
    end = NEVER if dice.random() < 0.6 else some_hour(dice) + 40 * HOUR
    if end <= start:
        end = NEVER
    is_specific = dice.random() < 0.7
    product = dice.choice(products)
    if dice.random() < 0.4:
        steps = random_steps(dice, random_bounds(dice))
        product_id, multiplier = product.product_id, Decimal(1)
    else:
        steps = None
        product_id = product.product_id if dice.random() < 0.6 else ""
        multiplier = Decimal(dice.choice(MULTIPLIERS))
    named = frozenset(
        grant.grant_id for grant in grants if is_specific and dice.random() < 0.3
    )
    return Override(
        start,
        end,
        multiplier,
        steps,
        targets_commit_rate=dice.random() < 0.35,
        is_commit_specific=is_specific,
        product_id=product_id,
        grant_ids=named,
    )


def random_account(dice: random.Random, customer: str) -> Account:
    products = [
        random_product(dice, product_id)
        for product_id in PRODUCTS[: dice.randint(1, len(PRODUCTS))]
    ]
    count = 20 if dice.random() < 0.02 else dice.randint(1, 4)
    exponent = dice.choice(list(EXPONENTS.values()))
    grants = []
    for number in range(count):
        start = some_hour(dice) if dice.random() < 0.4 else LONG_AGO
        end = NEVER if dice.random() < 0.6 else some_hour(dice) + 72 * HOUR
        grant_type = dice.choice(
            ("CREDIT", "PREPAID_COMMIT", "PREPAID_COMMIT", "POSTPAID_COMMIT")
        )
        if end <= start or (grant_type == "POSTPAID_COMMIT" and end is NEVER):
            end = datetime(2027, 1, 1)
        grants.append(
            Grant(
                f"{customer}-g{number}",
                grant_type,
                dice.choice((1, 3, 40, 1000, 5000, 20_000)) + dice.randrange(50),
                number + 1,
                dice.random() < 0.5,
                start,
                end,
                frozenset(
                    product.product_id for product in products if dice.random() < 0.3
                ),
            )
        )
    overrides = [
        random_override(dice, products, grants) for _ in range(dice.randint(0, 3))
    ]
    return Account(exponent, products, grants, overrides)


def company_of(
    accounts: Mapping[str, Account],
) -> tuple[Tables, list[dict[str, Any]]]:
    tables: Tables = {}
    events: list[dict[str, Any]] = []

    def add(table: str, **row: Any) -> None:
        tables.setdefault(table, []).append(row)

    def add_tiers(table: str, key: str, steps: Steps, commits: Steps | None) -> None:
        starts = sorted(steps)
        for start, end in zip(starts, [*starts[1:], ""], strict=True):
            by_tier = commits is not None and len(commits) > 1
            add(
                table,
                **{f"{table.removesuffix('_tiers')}_id": key},
                tier_start=start,
                tier_end=end,
                unit_price=steps[start],
                **({"commit_rate": commits[start]} if by_tier and commits else {}),
            )

    for name in PRODUCTS:
        add(
            "billable_metrics",
            metric_id=name,
            name=name,
            aggregation="SUM",
            aggregation_key="units",
            event_types=name,
        )
        add(
            "products",
            product_id=name,
            name=name,
            product_type="USAGE",
            metric_id=name,
        )
    for customer, account in accounts.items():
        (currency,) = (c for c, e in EXPONENTS.items() if e == account.exponent)
        add("customers", customer_id=customer, name=customer)
        add("rate_cards", rate_card_id=customer, name=customer, currency=currency)
        add(
            "contracts",
            contract_id=customer,
            customer_id=customer,
            rate_card_id=customer,
            starting_at=instant(OCTOBER),
        )
        for product in account.products:
            name = product.product_id
            ends = [*(rate.starting_at for rate in product.rates[1:]), None]
            for number, (rate, end) in enumerate(zip(product.rates, ends, strict=True)):
                is_flat = len(rate.steps) == 1
                commits = rate.commit_steps
                one = commits[Decimal(0)] if commits and len(commits) == 1 else ""
                rate_id = f"{customer}-{name}-{number}"
                add(
                    "rates",
                    rate_id=rate_id,
                    rate_card_id=customer,
                    product_id=name,
                    price_model="flat" if is_flat else "graduated",
                    unit_price=rate.steps[Decimal(0)] if is_flat else "",
                    commit_rate=one,
                    starting_at=instant(rate.starting_at),
                    ending_before=instant(end),
                )
                if not is_flat:
                    add_tiers("rate_tiers", rate_id, rate.steps, commits)
            events += [
                {
                    "transaction_id": f"{customer}-{name}-{number}",
                    "customer_id": customer,
                    "event_type": name,
                    "timestamp": instant(at),
                    "properties": {"units": str(quantity)},
                }
                for number, (at, quantity) in enumerate(product.usage)
            ]
        for grant in account.grants:
            is_commit = grant.grant_type != "CREDIT"
            row = {
                "name": grant.grant_id,
                "customer_id": customer,
                "currency": currency,
                "amount": Decimal(grant.amount).scaleb(-account.exponent),
                "priority": grant.priority,
                "rate_type": "COMMIT_RATE" if grant.pays_commit_rate else "",
                "applicable_product_ids": "|".join(sorted(grant.product_ids)),
                "starting_at": instant(grant.starting_at),
                "ending_before": instant(
                    None if grant.ending_before is NEVER else grant.ending_before
                ),
            }
            if is_commit:
                is_promise = grant.grant_type == "POSTPAID_COMMIT"
                add(
                    "commits",
                    commit_id=grant.grant_id,
                    commit_type="POSTPAID" if is_promise else "PREPAID",
                    is_trueup_disabled="true" if is_promise else "",
                    **row,
                )
            else:
                add("credits", credit_id=grant.grant_id, **row)
        for number, override in enumerate(account.overrides):
            override_id = f"{customer}-o{number}"
            steps = override.steps
            is_flat = steps is not None and len(steps) == 1
            add(
                "overrides",
                override_id=override_id,
                contract_id=customer,
                override_type="multiplier" if steps is None else "overwrite",
                multiplier=override.multiplier if steps is None else "",
                price_model=""
                if steps is None
                else ("flat" if is_flat else "graduated"),
                unit_price=steps[Decimal(0)] if steps and is_flat else "",
                target="COMMIT_RATE" if override.targets_commit_rate else "",
                is_commit_specific="true" if override.is_commit_specific else "",
                starting_at=instant(override.starting_at),
                ending_before=instant(
                    None if override.ending_before is NEVER else override.ending_before
                ),
                created_at=instant(LONG_AGO + number * HOUR),
            )
            if override.product_id or override.grant_ids:
                add(
                    "override_specifiers",
                    override_id=override_id,
                    product_id=override.product_id,
                    commit_ids="|".join(sorted(override.grant_ids)),
                )
            if steps is not None and not is_flat:
                add_tiers("override_tiers", override_id, steps, None)
    return tables, events


@pytest.fixture(scope="module")
def accounts() -> dict[str, Account]:
    dice = random.Random(SEED)
    return {
        f"c{number:03}": random_account(dice, f"c{number:03}")
        for number in range(CUSTOMERS)
    }


@pytest.fixture(scope="module")
def company(
    tmp_path_factory: pytest.TempPathFactory, accounts: dict[str, Account]
) -> Path:
    folder = tmp_path_factory.mktemp("random-prices") / "company"
    write_workspace(folder, *company_of(accounts), random.Random(SEED))
    run_until_close(folder, "2026-11-02T01:00", schema_tests=True, backfill=True)
    return folder


def test_every_draw_is_as_the_reference_has_it(
    company: Path, accounts: dict[str, Account]
) -> None:
    expected = {
        (*key, draw.minor, draw.list_minor)
        for account in accounts.values()
        for key, draw in bill(account)[0].items()
    }
    found = {
        (
            row["grant_id"],
            row["product_id"],
            row["slice_start"],
            row["amount_minor"],
            row["list_amount_minor"],
        )
        for row in rows(
            company,
            "select grants.grant_id, lines.product_id, draws.slice_start, "
            "draws.amount_minor, draws.list_amount_minor "
            "from books.credit_drawdowns as draws "
            "inner join credits.credit_grants as grants using (segment_id) "
            "inner join books.invoice_lines as lines using (line_id)",
        )
    }
    assert len(expected) > 1000
    assert sorted(found ^ expected, key=str)[:20] == []


def test_every_quantity_is_as_the_reference_has_it(
    company: Path, accounts: dict[str, Account]
) -> None:
    """Where some grant has a price of its own: elsewhere units that round to nothing go
    with the next slice."""
    expected = {
        key: draw.quantity
        for account in accounts.values()
        for key, draw in bill(account)[0].items()
        if draw.quantity is not None
    }
    found = {
        (row["grant_id"], row["product_id"], row["slice_start"]): row["quantity"]
        for row in rows(
            company,
            "select grants.grant_id, lines.product_id, draws.slice_start, "
            "draws.quantity from books.credit_drawdowns as draws "
            "inner join credits.credit_grants as grants using (segment_id) "
            "inner join books.invoice_lines as lines using (line_id)",
        )
    }
    assert len(expected) > 500
    assert {
        key: (found.get(key), quantity)
        for key, quantity in expected.items()
        if found.get(key) != quantity
    } == {}


def test_every_line_is_as_the_reference_has_it(
    company: Path, accounts: dict[str, Account]
) -> None:
    expected = {
        (customer, product): minor
        for customer, account in accounts.items()
        for product, minor in bill(account)[1].items()
    }
    found = {
        (row["customer_id"], row["product_id"]): row["amount_minor"]
        for row in rows(
            company,
            "select customer_id, lines.product_id, lines.amount_minor "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            "where lines.line_type = 'usage' and invoices.status = 'FINALIZED'",
        )
    }
    assert found == expected


def test_the_rules_decide_somewhere(accounts: dict[str, Account]) -> None:
    seen: Counter[str] = Counter()
    for account in accounts.values():
        draws, _ = bill(account)
        by_slice = Counter(key[1:] for key in draws)
        seen["a slice paid by several"] += max(by_slice.values(), default=0) > 1
        for draw in draws.values():
            seen["dearer than list"] += draw.minor > draw.list_minor
            seen["cheaper than list"] += draw.minor < draw.list_minor
            seen["free at list"] += draw.list_minor == 0 < draw.minor
            seen["a part of a unit"] += bool(
                draw.quantity and draw.quantity % SMALL != 0
            )
        for product in account.products:
            if len(product.rates) > 1:
                seen["a price changes"] += 1
    assert min(seen.values()) > 20, seen
    assert len(seen) == 6


SMALL = Decimal("0.001")
