"""Random customers with grants.

Prices are flat, from a short list, so that lines meet on the same price. Grants mostly
differ from the one before in a single point, so that each level of the burn order
decides somewhere. Windows begin and end at the very hours of usage, and amounts are
those of charges, on purpose.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.credits.reference_wallet import (
    BLANK_PRIORITY,
    NO_VALUES,
    Grant,
    Specifier,
)
from tests.credits.wallet_accounts import (
    EACH_ITS_OWN,
    HOUR,
    NOVEMBER,
    OCTOBER,
    PRODUCTS,
    Account,
    Contract,
    Given,
    Line,
    charges_of,
)
from tests.rating.random_contracts import CURRENCIES, LONG_AGO
from tests.rating.reference_rater import minor_units

PRICES = ("1", "0.5", "0.5", "0.333", "0.0149")
SPENDABLE = ("CREDIT", "PREPAID_COMMIT")
SHARES = ("0.1", "0.15", "0.15")


def some_hour(dice: random.Random, start: datetime, end: datetime) -> datetime:
    return start + dice.randrange((end - start) // HOUR) * HOUR


def random_prices(
    dice: random.Random, choices: Sequence[str], contract: tuple[datetime, datetime]
) -> dict[datetime, Decimal]:
    """From before the contract or, now and then, from within it; one may change."""
    first = LONG_AGO if dice.random() < 0.75 else some_hour(dice, *contract)
    prices = {first: Decimal(dice.choice(choices))}
    if dice.random() < 0.4:
        change = some_hour(dice, OCTOBER + HOUR, NOVEMBER)
        if change > first:
            prices[change] = Decimal(dice.choice(choices))
    return prices


def random_lines(
    dice: random.Random, product_id: str, start: datetime, end: datetime
) -> list[Line]:
    product = PRODUCTS[product_id]
    if product.is_composite:
        prices = random_prices(dice, SHARES, (LONG_AGO, OCTOBER))
        return [Line(product_id, NO_VALUES, NO_VALUES, prices)]
    lines = []
    for kind in product.kinds or ("",):
        prices = random_prices(dice, PRICES, (start, end))
        # Lines of a few hours meet there, so that their order decides.
        hours = [
            some_hour(dice, max(start, min(prices)), end)
            for _ in range(dice.randint(2, 12))
        ]
        for team in product.teams or ("",):
            usage = {
                dice.choice(hours)
                + timedelta(seconds=dice.choice((0, 1800, 3599))): Decimal(
                    dice.randint(1, 3000)
                ).scaleb(-2)
                for _ in range(dice.choice((1, 2, 5, 12)))
            }
            lines.append(
                Line(
                    product_id,
                    frozenset({("kind", kind)} if kind else ()),
                    frozenset({("team", team)} if team else ()),
                    prices,
                    tuple(usage.items()),
                )
            )
    return lines


def random_contract(
    dice: random.Random,
    contract_id: str,
    currency: str,
    products: Iterable[str],
    starting_at: datetime,
    ending_before: datetime | None,
) -> Contract:
    last = min(ending_before or NOVEMBER, NOVEMBER)
    lines = [
        line
        for product in products
        for line in random_lines(dice, product, starting_at, last)
    ]
    has_units = any(PRODUCTS[line.product].unit for line in lines)
    return Contract(
        contract_id,
        currency,
        starting_at,
        ending_before,
        is_anchored_at_start=starting_at > OCTOBER and dice.random() < 0.5,
        grace=HOUR * dice.choice((0, 24, 24, 24, 24, 400)),
        # A minimum of money can't be over prices in a unit.
        has_minimum=not has_units and dice.random() < 0.2,
        lines=lines,
    )


def random_contracts(dice: random.Random, customer: str) -> list[Contract]:
    currency = dice.choice(list(CURRENCIES))
    same = dice.random() < 0.8
    other = currency if same else dice.choice(list(CURRENCIES))
    # The first in the order of ids need not be the first in time.
    ids = [f"{customer}-p", f"{customer}-q"]
    dice.shuffle(ids)
    layout = dice.choice(("one", "side by side", "side by side", "in turn"))
    if layout == "side by side":
        return [
            random_contract(dice, contract_id, money, products, start, None)
            for contract_id, money, products, start in zip(
                ids,
                (currency, other),
                EACH_ITS_OWN,
                (OCTOBER, dice.choice((OCTOBER, OCTOBER + 250 * HOUR))),
                strict=True,
            )
        ]
    products = [product for product in PRODUCTS if dice.random() < 0.6] or ["plain"]
    if layout == "one":
        start = dice.choice((OCTOBER, OCTOBER, OCTOBER + 77 * HOUR))
        return [random_contract(dice, ids[0], currency, products, start, None)]
    change = some_hour(dice, OCTOBER + 48 * HOUR, OCTOBER + 600 * HOUR)
    return [
        random_contract(dice, ids[0], currency, products, OCTOBER, change),
        random_contract(dice, ids[1], other, products, change, None),
    ]


def random_account(dice: random.Random, customer: str, grants: int) -> Account:
    account = Account(random_contracts(dice, customer), depth=3 + grants)
    numbers = dice.sample(range(100, 1000), grants)
    for number in numbers:
        before = account.grants[-1] if account.grants else None
        if before and dice.random() < 0.75:
            given = near_twin(dice, before, account, f"{customer}-{number}")
        else:
            given = random_grant(dice, account, f"{customer}-{number}")
        account.grants.append(given)
    return account


def random_grant(dice: random.Random, account: Account, grant_id: str) -> Given:
    contract = dice.choice(account.contracts)
    contract_ids = random_contract_ids(dice, account)
    currency = contract.currency
    if not contract_ids and dice.random() < 0.05:
        currency = dice.choice(list(CURRENCIES))
    schedule = random_schedule(dice, account, currency)
    grant_type = dice.choice((*BLANK_PRIORITY, *SPENDABLE))
    grant = Grant(
        grant_type,
        grant_id,
        min(start for _, start, _ in schedule),
        priority=dice.choice((None, None, Decimal(50), Decimal(100))),
        invoice_amount=random_invoice_amount(dice, grant_type),
        contract_ids=contract_ids,
        created_at=random_creation(dice),
        **random_scope(dice),
    )
    given = Given(grant, currency, schedule)
    return random_promise(dice, account, given) if grant.is_promise else given


def random_promise(dice: random.Random, account: Account, given: Given) -> Given:
    """A promise has one window and an end. Its true-up has an invoice, so that the
    amount is one of whole minor units, or there is none."""
    amount, start, end = given.schedule[0]
    billing = [c for c in account.contracts if c.currency == given.currency]
    trueup = dice.choice(billing).contract_id if billing and dice.random() < 0.6 else ""
    if trueup:
        whole = minor_units(amount, CURRENCIES[given.currency])
        amount = Decimal(whole).scaleb(-CURRENCIES[given.currency])
    grant = replace(
        given.grant,
        grant_type="POSTPAID_COMMIT",
        first_start=start,
        invoice_amount=amount if trueup else Decimal(0),
    )
    window = (amount, start, end or max(start, NOVEMBER) + HOUR)
    return Given(grant, given.currency, [window], trueup)


POINTS = (
    "priority",
    "cost",
    "scope",
    "usage",
    "end",
    "start",
    "contracts",
    "created",
    "id",
    "type",
    "type",
    "promise",
)


def near_twin(
    dice: random.Random, twin: Given, account: Account, grant_id: str
) -> Given:
    """Another grant that differs from one in a single point of the burn order, its id
    and its amounts."""
    grant, schedule = replace(twin.grant, grant_id=grant_id), twin.schedule
    point = dice.choice(POINTS)
    if point == "priority":
        grant = replace(grant, priority=dice.choice((None, Decimal("70.5"))))
    elif point == "cost":
        paid = random_invoice_amount(dice, grant.grant_type)
        grant = replace(grant, invoice_amount=paid)
    elif point == "scope":
        nothing: dict[str, Any] = {
            "product_ids": frozenset(),
            "product_tags": frozenset(),
            "specifiers": (),
        }
        grant = replace(grant, **{**nothing, **random_scope(dice)})
    elif point == "usage" and not (grant.product_ids or grant.product_tags):
        rows = (*grant.specifiers, *random_values_alone(dice))
        grant = replace(grant, specifiers=tuple(dict.fromkeys(rows)))
    elif point in ("end", "start"):
        shift = dice.choice((-24, -1, 1, 24)) * HOUR
        moved = [
            (amount, start, (end or NOVEMBER) + shift)
            if point == "end"
            else (amount, start + shift, end)
            for amount, start, end in schedule
        ]
        if all(end is None or start < end for _, start, end in moved):
            schedule = moved
    elif point == "contracts":
        grant = replace(grant, contract_ids=random_contract_ids(dice, account))
    elif point == "created":
        grant = replace(grant, created_at=random_creation(dice))
    elif grant.is_promise and point in ("type", "promise"):
        spendable = dice.choice(SPENDABLE)
        grant = replace(grant, grant_type=spendable, invoice_amount=Decimal(0))
    elif point == "type" and not any(
        given is not twin and given.grant.grant_id == twin.grant.grant_id
        for given in account.grants
    ):
        # The same id as a commit and as a credit, with the same priority.
        other = {"CREDIT": "PREPAID_COMMIT", "PREPAID_COMMIT": "CREDIT"}
        priority = BLANK_PRIORITY[twin.grant.grant_type]
        grant = replace(
            twin.grant,
            grant_type=other[twin.grant.grant_type],
            priority=twin.grant.priority or priority,
            invoice_amount=Decimal(0),
        )
    given = Given(
        replace(grant, first_start=min(start for _, start, _ in schedule)),
        twin.currency,
        [
            (random_amount(dice, account, twin.currency), start, end)
            for _, start, end in schedule
        ],
    )
    is_promise = grant.is_promise or (point == "promise" and not twin.grant.is_promise)
    return random_promise(dice, account, given) if is_promise else given


def random_invoice_amount(dice: random.Random, grant_type: str) -> Decimal:
    paid = grant_type == "PREPAID_COMMIT" and dice.random() < 0.5
    return Decimal(dice.randint(1, 5) if paid else 0)


def random_creation(dice: random.Random) -> datetime | None:
    days = dice.choice((None, None, 0, 5, 70))
    return None if days is None else LONG_AGO + timedelta(days=days)


def random_contract_ids(dice: random.Random, account: Account) -> frozenset[str]:
    ids = [contract.contract_id for contract in account.contracts]
    count = dice.choice((0, 0, 1, len(ids)))
    return frozenset(dice.sample(ids, count))


def random_scope(dice: random.Random) -> dict[str, Any]:
    kind = dice.choice(("all", "all", "all", "ids", "tags", "specifiers", "specifiers"))
    products = [product for product, row in PRODUCTS.items() if not row.unit]
    if kind == "ids":
        some = dice.sample(products, dice.randint(1, 4))
        return {"product_ids": frozenset(some)}
    tags = ("red", "blue", "green")
    if kind == "tags":
        return {"product_tags": frozenset(dice.sample(tags, dice.randint(1, 2)))}
    if kind == "specifiers":
        rows = [random_specifier(dice) for _ in range(dice.randint(1, 3))]
        return {"specifiers": tuple(dict.fromkeys(rows))}
    return {}


def random_values_alone(dice: random.Random) -> list[Specifier]:
    team = frozenset({("team", dice.choice(("x", "y")))})
    kind = frozenset({("kind", dice.choice(("a", "b", "c")))})
    rows = [Specifier(pricing_values=kind), Specifier(presentation_values=team)]
    return dice.sample(rows, dice.randint(1, 2))


def random_specifier(dice: random.Random) -> Specifier:
    kind = frozenset({("kind", dice.choice(("a", "b", "c")))})
    team = frozenset({("team", dice.choice(("x", "y")))})
    return dice.choice(
        (
            Specifier("plain"),
            Specifier("support"),
            Specifier("kind", pricing_values=kind),
            Specifier("both", pricing_values=kind),
            Specifier("both", presentation_values=team),
            Specifier("kind", frozenset({"red"})),
            Specifier(product_tags=frozenset({"red"})),
            Specifier(product_tags=frozenset({"red", "blue"})),
            Specifier(product_tags=frozenset({"blue"}), presentation_values=team),
            Specifier(pricing_values=kind),
            Specifier(presentation_values=team),
            Specifier(pricing_values=kind, presentation_values=team),
        )
    )


def random_schedule(
    dice: random.Random, account: Account, currency: str
) -> list[tuple[Decimal, datetime, datetime | None]]:
    """One window, or up to three that begin at different hours and may overlap."""
    windows = dict(
        random_window(dice, account) for _ in range(dice.choice((1, 1, 1, 2, 3)))
    )
    return [
        (random_amount(dice, account, currency), start, end)
        for start, end in windows.items()
    ]


def random_window(
    dice: random.Random, account: Account
) -> tuple[datetime, datetime | None]:
    used = sorted(
        {
            at.replace(minute=0, second=0)
            for contract in account.contracts
            for line in contract.lines
            for at, _ in line.usage
        }
    ) or [OCTOBER]
    day = OCTOBER + timedelta(days=dice.randrange(30))
    start = dice.choice(
        (
            LONG_AGO,
            OCTOBER,
            OCTOBER,
            day,
            dice.choice(used),
            some_hour(dice, OCTOBER, NOVEMBER),
        )
    )
    later = [at for at in used if at > start]
    end = dice.choice(
        (
            None,
            NOVEMBER,
            NOVEMBER,
            start + timedelta(days=dice.randint(1, 30)),
            start + dice.randint(1, 300) * HOUR,
            dice.choice(later or [NOVEMBER]),
        )
    )
    # Over before October, or not begun within it.
    rare = dice.random()
    if rare < 0.03:
        return LONG_AGO, OCTOBER
    if rare < 0.06:
        return NOVEMBER, None
    return start, end


def random_amount(dice: random.Random, account: Account, currency: str) -> Decimal:
    """Often all of what some line or charge costs; a fraction of a minor unit that is
    rounded away now and then."""
    charges, lines = [1], [1]
    for contract in account.contracts:
        if contract.currency == currency:
            for line in contract.lines:
                mine = charges_of(replace(contract, lines=[line]))
                charges += [charge.amount for charge in mine]
                lines.append(sum(charge.amount for charge in mine) or 1)
    total = sum(charges)
    minor = dice.choice(
        (
            dice.randint(1, 3),
            dice.choice(charges),
            dice.choice(lines),
            sum(dice.sample(charges, len(charges) // account.depth + 1)),
            dice.randint(1, total // account.depth + 1),
            dice.randint(1, total // account.depth + 1),
            dice.choice((total, 2 * total)),
        )
    )
    nudge = Decimal(dice.choice(("0", "0", "0.4", "-0.5")))
    return (minor + nudge).scaleb(-CURRENCIES[currency])


def daily_credit(account: Account, grant_id: str, first: datetime) -> Given:
    """A credit of a year: a balance a day that is gone the next."""
    currency = account.contracts[0].currency
    days = [first + timedelta(days=day) for day in range(365)]
    amount = Decimal(137).scaleb(-CURRENCIES[currency])
    return Given(
        Grant("CREDIT", grant_id, first),
        currency,
        [(amount, day, day + timedelta(days=1)) for day in days],
    )
