"""Random contracts, the workspace that holds them, and what they must cost.

Each customer has a card of its own with random prices; prices change in mid-month at a
random hour, and random overrides hold for a part of it. Quantities lie on and next to
tier and package bounds on purpose. A third of the products is priced in a pricing unit.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.rating.metered import write
from tests.rating.reference_rater import (
    Line,
    Override,
    Product,
    Rate,
    Tier,
    Usage,
    line_amounts,
    minor_units,
)

LONG_AGO = datetime(2026, 8, 1)
# What a pricing unit is worth on every card, whatever its currency.
UNITS = {"credits": Decimal("0.037"), "tokens": Decimal("0.000123456789")}
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}
ZONES = ("UTC", "America/New_York", "Asia/Tokyo")
ONE_PRICE = ("flat", "package", "percentage", "dynamic")
MODELS = (
    *ONE_PRICE,
    "graduated",
    "volume",
    "tiered_package",
    "stairstep",
    "graduated_percentage",
)
# product -> (pricing values, presentation values, how quantities are billed)
PRODUCTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Product]] = {
    "plain": ((), (), Product()),
    "priced": (("a", "b", "c"), (), Product()),
    "shown": ((), ("x", "y"), Product()),
    "third": ((), (), Product(divide=Decimal(3), rounding="half_up", places=2)),
    "scaled": (
        ("a", "b"),
        ("x", "y"),
        Product(multiply=Decimal("1.5"), rounding="up", places=0),
    ),
}


@dataclass(frozen=True)
class Month:
    """The month that is billed."""

    start: datetime
    hours: int


OCTOBER = Month(datetime(2026, 10, 1), 31 * 24)

Tables = dict[str, list[dict[str, Any]]]


@dataclass
class Account:
    """One customer: what its contract says, and what it used."""

    currency: str
    zone: str
    rates: dict[str, list[Rate]] = field(default_factory=dict)
    overrides: dict[str, list[Override]] = field(default_factory=dict)
    lines: dict[str, list[Line]] = field(default_factory=dict)


def random_rate(dice: random.Random, starts: datetime, ends: datetime | None) -> Rate:
    model = dice.choice(MODELS)
    size = dice.choice((1, 7, 10, 100)) if "package" in model else None
    share = model in ("percentage", "graduated_percentage")
    if model in ONE_PRICE:
        tiers: tuple[Tier, ...] = (
            Tier(Decimal(0), None, money(dice, 1 if share else 3)),
        )
    else:
        step = Decimal(size or dice.choice(("0.5", "10", "33.3")))
        bounds = [Decimal(0)]
        for _ in range(dice.randint(0, 3)):
            bounds.append(bounds[-1] + step * dice.randint(1, 9))
        stairs = sorted(money(dice, 50) for _ in bounds)
        last_end = bounds[-1] + step if dice.random() < 0.3 else None
        tiers = tuple(
            Tier(
                bound,
                bounds[number + 1] if number + 1 < len(bounds) else last_end,
                Decimal(0) if model == "stairstep" else money(dice, 1 if share else 3),
                stairs[number]
                if model == "stairstep"
                else money(dice, 9) * (dice.random() < 0.4),
            )
            for number, bound in enumerate(bounds)
        )
    rate = Rate(model, tiers, starts, ends, size, dice.choice(("up", "up", "down")))
    if dice.random() < 0.3:
        rate = replace(
            rate,
            free_units=Decimal(dice.choice(("0.5", "10", "33.3"))),
            free_units_scope=dice.choice(("line", "product")),
            free_units_reset=dice.choice(("period", "day")),
        )
    if dice.random() < 0.2:
        rate = replace(rate, tier_scope="product")
    if dice.random() < 0.3:
        low, high = sorted((money(dice), money(dice, 30)))
        rate = replace(
            rate,
            event_fee=money(dice) if dice.random() < 0.7 else None,
            free_events=dice.choice((None, 0, 1, 3)),
            event_minimum=low if dice.random() < 0.5 else None,
            event_maximum=high if dice.random() < 0.5 else None,
        )
    if dice.random() < 0.2:
        rate = replace(rate, quantity_factor=Decimal(dice.choice(("2", "0.333333"))))
    return rate


def money(dice: random.Random, top: int = 3) -> Decimal:
    return Decimal(dice.randint(0, top * 10**4)).scaleb(-4)


def random_override(
    dice: random.Random,
    number: int,
    values: Mapping[str, str],
    shown: Mapping[str, str],
    month: Month,
) -> Override:
    first = dice.randint(0, month.hours - 1)
    starts = month.start + timedelta(hours=first)
    ends = starts + timedelta(hours=dice.randint(1, month.hours))
    common = Override(
        starts,
        ends if dice.random() < 0.6 else None,
        priority=Decimal(number + 1),
        added_at=LONG_AGO + timedelta(days=number),
        shown_values=shown if dice.random() < 0.3 else {},
    )
    kind = dice.choice(("multiplier", "tiered", "overwrite"))
    if kind == "overwrite":
        price = random_rate(dice, common.starting_at, common.ending_before)
        return replace(common, price=price, values=values)
    bands: tuple[tuple[Decimal, Decimal | None, Decimal], ...] = (
        (Decimal(0), None, Decimal(dice.choice(("0.9", "0.333333333333", "1.2", "0")))),
    )
    if kind == "tiered":
        bound = Decimal(dice.choice(("5", "20", "33.3")))
        bands = ((Decimal(0), bound, Decimal(1)), (bound, None, Decimal("0.5")))
    return replace(common, bands=bands, values=values if dice.random() < 0.5 else {})


def random_usage(dice: random.Random, rates: list[Rate], month: Month) -> list[Usage]:
    """Some uses that bring the running quantity to, below or above a bound."""
    bounds = [tier.end for rate in rates for tier in rate.tiers if tier.end]
    bounds += [Decimal(rate.package_size) for rate in rates if rate.package_size]
    bounds += [rate.free_units for rate in rates if rate.free_units]
    hours = sorted(dice.sample(range(month.hours), dice.randint(1, 8)))
    running, found = Decimal(0), []
    for hour in hours:
        nudge = Decimal(dice.choice(("-0.001", "0", "0", "0.001")))
        target = (
            dice.choice(bounds) if bounds else Decimal(dice.randint(1, 99))
        ) + nudge
        if dice.random() < 0.4:
            target = running + Decimal(dice.randint(1, 40_000)).scaleb(-3)
        if target == running:
            continue
        at = month.start + timedelta(hours=hour, seconds=dice.randint(0, 3599))
        tariff = money(dice) if dice.random() < 0.7 else None
        found.append(Usage(at, target - running, tariff))
        running = target
    return found


def unit_of(customer: str, product: str) -> str:
    """The pricing unit that a customer's prices of a product are in; blank is money."""
    number = int(customer.removeprefix("c")) + list(PRODUCTS).index(product)
    return {0: "credits", 1: "tokens"}.get(number % 6, "")


def random_windows(
    dice: random.Random, values: Mapping[str, str], month: Month
) -> list[Rate]:
    if dice.random() < 0.5:
        return [replace(random_rate(dice, LONG_AGO, None), values=values)]
    change = month.start + timedelta(hours=dice.randint(1, month.hours - 1))
    return [
        replace(random_rate(dice, LONG_AGO, change), values=values),
        replace(random_rate(dice, change, None), values=values),
    ]


def random_account(dice: random.Random, month: Month) -> Account:
    account = Account(dice.choice(list(CURRENCIES)), dice.choice(ZONES))
    for product, (priced, shown, _) in PRODUCTS.items():
        rates = []
        # With keys: some values have a price of their own, the others the default.
        for value in priced:
            if dice.random() < 0.6:
                rates += random_windows(dice, {"kind": value}, month)
        rates += random_windows(dice, {}, month)
        account.rates[product] = rates
        account.overrides[product] = [
            random_override(
                dice,
                number,
                {"kind": dice.choice(priced)} if priced else {},
                {"team": dice.choice(shown)} if shown else {},
                month,
            )
            for number in range(dice.choice((0, 0, 1, 2, 3)))
        ]
        lines = []
        for value in priced or ("",):
            for team in shown or ("",):
                usage = [] if dice.random() < 0.2 else random_usage(dice, rates, month)
                if usage or not (priced or shown):
                    lines.append(
                        Line(
                            usage,
                            {"kind": value} if value else {},
                            {"team": team} if team else {},
                        )
                    )
        account.lines[product] = lines
    return account


def random_accounts(
    dice: random.Random, customers: int, month: Month = OCTOBER
) -> dict[str, Account]:
    return {f"c{n:04}": random_account(dice, month) for n in range(customers)}


def company_of(
    accounts: Mapping[str, Account], month: Month = OCTOBER
) -> tuple[Tables, list[dict[str, Any]]]:
    """Catalog and events of the accounts."""
    tables: Tables = {"billable_metrics": [], "products": [], "overrides": []}
    events: list[dict[str, Any]] = []
    for product, (priced, shown, billing) in PRODUCTS.items():
        keys = ["kind"] * bool(priced) + ["team"] * bool(shown)
        divided = billing.divide != 1
        converted = divided or billing.multiply != 1
        tables["billable_metrics"].append(
            {
                "metric_id": product,
                "name": product,
                "aggregation": "SUM",
                "aggregation_key": "units",
                "event_types": product,
                "group_keys": "+".join(keys),
            }
        )
        tables["products"].append(
            {
                "product_id": product,
                "name": product,
                "product_type": "USAGE",
                "metric_id": product,
                "pricing_group_keys": "kind" if priced else "",
                "presentation_group_keys": "team" if shown else "",
                "quantity_conversion": (
                    "" if not converted else "divide" if divided else "multiply"
                ),
                "conversion_factor": (
                    (billing.divide if divided else billing.multiply)
                    if converted
                    else ""
                ),
                "quantity_rounding": billing.rounding or "",
                "rounding_places": billing.places if billing.rounding else "",
            }
        )
    tables["pricing_units"] = [
        {"pricing_unit_id": unit, "pricing_unit_name": unit} for unit in UNITS
    ]
    for customer, account in accounts.items():
        add_account(tables, customer, account, month)
        for product, lines in account.lines.items():
            for number, line in enumerate(lines):
                events += usage_events(customer, product, number, line)
    return tables, events


def write_workspace(
    folder: Path, tables: Tables, events: list[dict[str, Any]], dice: random.Random
) -> None:
    """Events in no order of time, in three files: no line depends on their order."""
    (folder / "events").mkdir(parents=True)
    (folder / "meterhouse.yml").write_text("")
    for name, table in tables.items():
        write(folder, name, table)
    dice.shuffle(events)
    for part in range(3):
        texts = [json.dumps(event) for event in events[part::3]]
        (folder / "events" / f"{part}.ndjson").write_text("\n".join(texts) + "\n")


def add_account(tables: Tables, customer: str, account: Account, month: Month) -> None:
    def add(table: str, **row: Any) -> None:
        tables.setdefault(table, []).append(row)

    add("customers", customer_id=customer, name=customer, time_zone=account.zone)
    add("rate_cards", rate_card_id=customer, name=customer, currency=account.currency)
    for unit, worth in UNITS.items():
        add(
            "pricing_unit_conversions",
            rate_card_id=customer,
            pricing_unit_id=unit,
            starting_at=instant(LONG_AGO),
            amount_per_unit=f"{worth:f}",
        )
    add(
        "contracts",
        contract_id=customer,
        customer_id=customer,
        rate_card_id=customer,
        multiplier_override_prioritization="explicit",
        starting_at=instant(month.start),
    )
    for product, rates in account.rates.items():
        for number, rate in enumerate(rates):
            rate_id = f"{customer}-{product}-{number}"
            priced = bool(PRODUCTS[product][0])
            add(
                "rates",
                rate_id=rate_id,
                rate_card_id=customer,
                product_id=product,
                pricing_group_values=(
                    cell(rate.values) or ("kind=*" if priced and number % 2 else "")
                ),
                pricing_unit_id=unit_of(customer, product),
                **window(rate),
                **terms(rate),
            )
            for tier in steps(rate):
                add("rate_tiers", rate_id=rate_id, **tier)
    for product, overrides in account.overrides.items():
        for number, override in enumerate(overrides):
            override_id = f"{customer}-{product}-o{number}"
            one_band = len(override.bands) == 1
            add(
                "overrides",
                override_id=override_id,
                contract_id=customer,
                override_type=(
                    "overwrite"
                    if override.price
                    else "multiplier"
                    if one_band
                    else "tiered"
                ),
                multiplier=override.bands[0][2] if one_band else "",
                # Priorities count across the contract: products are kept apart.
                priority=(
                    ""
                    if override.price
                    else override.priority + 10 * list(PRODUCTS).index(product)
                ),
                created_at=instant(override.added_at),
                pricing_unit_id=unit_of(customer, product) if override.price else "",
                **window(override),
                **(terms(override.price) if override.price else {}),
            )
            add(
                "override_specifiers",
                override_id=override_id,
                product_id=product,
                pricing_group_values=cell(override.values),
                presentation_group_values=cell(override.shown_values),
            )
            for tier in steps(override.price) if override.price else []:
                add("override_tiers", override_id=override_id, **tier)
            for start, end, multiplier in override.bands if not one_band else ():
                add(
                    "override_tiers",
                    override_id=override_id,
                    tier_start=start,
                    tier_end="" if end is None else end,
                    multiplier=multiplier,
                )


def instant(at: datetime | None) -> str:
    return at.isoformat() + "Z" if at else ""


def cell(values: Mapping[str, str]) -> str:
    return "|".join(f"{key}={value}" for key, value in values.items())


def window(window: Rate | Override) -> dict[str, Any]:
    return {
        "starting_at": instant(window.starting_at),
        "ending_before": instant(window.ending_before),
    }


def terms(rate: Rate) -> dict[str, Any]:
    one_price = rate.model in ONE_PRICE
    free = rate.free_units > 0
    return {
        "price_model": rate.model,
        "unit_price": rate.tiers[0].unit_price if one_price else "",
        "package_size": rate.package_size or "",
        "package_rounding": rate.package_rounding if rate.package_size else "",
        "quantity_factor": rate.quantity_factor if rate.quantity_factor != 1 else "",
        "free_units": rate.free_units if free else "",
        "free_units_scope": rate.free_units_scope if free else "",
        "free_units_reset": rate.free_units_reset if free else "",
        "tier_scope": rate.tier_scope if rate.tier_scope != "line" else "",
        "event_fee": blank(rate.event_fee),
        "free_events": blank(rate.free_events),
        "event_minimum": blank(rate.event_minimum),
        "event_maximum": blank(rate.event_maximum),
        "price_property": "tariff" if rate.model == "dynamic" else "",
    }


def blank(value: object) -> object:
    return "" if value is None else value


def steps(rate: Rate) -> list[dict[str, Any]]:
    if rate.model in ONE_PRICE:
        return []
    return [
        {
            "tier_start": tier.start,
            "tier_end": "" if tier.end is None else tier.end,
            "unit_price": "" if rate.model == "stairstep" else tier.unit_price,
            "flat_amount": tier.flat_amount,
        }
        for tier in rate.tiers
    ]


def usage_events(
    customer: str, product: str, number: int, line: Line
) -> list[dict[str, Any]]:
    return [
        {
            "transaction_id": f"{customer}-{product}-{number}-{use_number}",
            "customer_id": customer,
            "event_type": product,
            "timestamp": use.at.isoformat() + "Z",
            "properties": {
                **line.values,
                **line.shown_values,
                "units": str(use.quantity),
                **({} if use.price is None else {"tariff": str(use.price)}),
            },
        }
        for use_number, use in enumerate(line.usage)
    ]


def expected_lines(
    accounts: Mapping[str, Account], month: Month = OCTOBER
) -> dict[tuple[str, ...], tuple[Decimal, Decimal, int]]:
    """Customer, product and group values -> quantity, amount and minor units, as the
    reference rater has them."""
    lines = {}
    for customer, account in accounts.items():
        exponent = CURRENCIES[account.currency]
        for product, (_, _, billing) in PRODUCTS.items():
            mine = account.lines[product]
            amounts = line_amounts(
                billing,
                account.rates[product],
                mine,
                account.overrides[product],
                account.zone,
                month.start,
            )
            for line, (quantity, amount) in zip(mine, amounts, strict=True):
                key = (
                    customer,
                    product,
                    *line.values.values(),
                    *line.shown_values.values(),
                )
                minor = minor_units(amount, exponent)
                if unit_of(customer, product):
                    minor = 0
                lines[key] = (quantity, amount, minor)
    return lines


def values_of(group_values: str) -> tuple[str, ...]:
    return tuple(json.loads(group_values).values())


USAGE_LINES = (
    "select lines.*, invoices.customer_id from invoicing.invoice_lines as lines "
    "inner join invoicing.invoices as invoices "
    "on lines.invoice_id = invoices.invoice_id where lines.line_type = 'usage'"
)


def billed_lines(
    lines: Iterable[Mapping[str, Any]], month: Month = OCTOBER
) -> dict[tuple[str, ...], tuple[Decimal, Decimal, int]]:
    """The lines of the month among the rows of USAGE_LINES, as in `expected_lines`."""
    return {
        (
            line["customer_id"],
            line["product_id"],
            *values_of(line["pricing_group_values"]),
            *values_of(line["presentation_group_values"]),
        ): (line["quantity"], line["amount"], line["amount_minor"])
        for line in lines
        if line["period_start"].replace(tzinfo=None) == month.start
    }
