"""The money of the fixture, worked out in plain Python: exact decimals, no SQL.

Deliberately another road than the models take: usage is priced event by event in time,
and credits are taken charge by charge, not grant by grant.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from tests.laws.workspace import CATALOG, Event, Landing

ZERO = Decimal(0)
EXPONENTS = {"USD": 2, "JPY": 0}


def table(name: str) -> list[dict[str, str]]:
    """The rows of a catalog file."""
    return list(csv.DictReader(io.StringIO(CATALOG[name].lstrip())))


def _row(name: str, key: str, value: str) -> dict[str, str]:
    return next(row for row in table(name) if row[key] == value)


def instant(text: str) -> datetime:
    """A catalog instant as naive UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)


def minor(amount: Decimal, currency: str) -> int:
    """Minor units, halves away from zero."""
    scaled = amount.scaleb(EXPONENTS[currency])
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass
class Charge:
    """One step of a line: when, how many minor units, at which price."""

    at: datetime
    amount_minor: int
    unit_price: Decimal
    covered_minor: int = 0
    # Towards a promise; owed all the same.
    counted_minor: int = 0


@dataclass
class Line:
    """A usage line and its charges in time."""

    product: dict[str, str]
    groups: tuple[tuple[str, str], ...]
    quantity: Decimal = ZERO
    amount: Decimal = ZERO
    charges: list[Charge] = field(default_factory=list)

    @property
    def amount_minor(self) -> int:
        return sum(charge.amount_minor for charge in self.charges)

    @property
    def unit_price(self) -> Decimal:
        """The dearest price that something is paid for."""
        paid = (one.unit_price for one in self.charges if one.amount_minor > 0)
        return max(paid, default=ZERO)

    @property
    def covered_minor(self) -> int:
        return sum(charge.covered_minor for charge in self.charges)

    @property
    def counted_minor(self) -> int:
        return sum(charge.counted_minor for charge in self.charges)


@dataclass
class Invoice:
    """Totals of one period, in minor units; `lines` by product and groups."""

    usage_minor: int
    applied_minor: int
    counted_minor: int
    lines: dict[tuple[str, tuple[tuple[str, str], ...]], Line]

    @property
    def total_minor(self) -> int:
        return self.usage_minor + self.applied_minor


def first_of_each(landings: Iterable[Landing]) -> list[Event]:
    """Events in landing order, the first landing of an id only."""
    seen: dict[str, Event] = {}
    for landing in landings:
        for event in landing.events:
            seen.setdefault(event.transaction_id, event)
    return list(seen.values())


def _value(metric: dict[str, str], event: Event) -> Decimal | None:
    if metric["event_types"] not in ("", event.event_type):
        return None
    for rule in table("metric_filters"):
        if rule["metric_id"] == metric["metric_id"]:
            value = event.properties.get(rule["property"])
            if rule["operator"] == "exists" and value is None:
                return None
            listed = value in rule["property_values"].split("|")
            if rule["operator"] == "not_in" and listed:
                return None
    if metric["aggregation"] == "COUNT":
        return Decimal(1)
    text = event.properties[metric["aggregation_key"]]
    plain = text.removeprefix("-").replace(".", "", 1).isdigit()
    return Decimal(text) if plain else None


def _steps(rate: dict[str, str]) -> list[tuple[Decimal, Decimal | None, Decimal]]:
    if rate["price_model"] == "flat":
        return [(ZERO, None, Decimal(rate["unit_price"]))]
    return [
        (
            Decimal(tier["tier_start"]),
            Decimal(tier["tier_end"]) if tier["tier_end"] else None,
            Decimal(tier["unit_price"]),
        )
        for tier in table("rate_tiers")
        if tier["rate_id"] == rate["rate_id"]
    ]


def _price(rate: dict[str, str], quantity: Decimal) -> Decimal:
    """What `quantity` costs from zero; the first step reaches below zero."""
    total = ZERO
    for start, end, unit_price in _steps(rate):
        reach = quantity if end is None else min(quantity, end)
        total += (reach if start == 0 else max(reach - start, ZERO)) * unit_price
    return total


def _unit_price(rate: dict[str, str], before: Decimal, after: Decimal) -> Decimal:
    """The dearest step that lies between two running quantities."""
    low, high = sorted((before, after))
    return max(
        price
        for start, end, price in _steps(rate)
        if start == 0 or (high > start and (end is None or low < end))
    )


def _rate(
    card: str, product: dict[str, str], groups: dict[str, str], at: datetime
) -> dict[str, str] | None:
    for rate in table("rates"):
        wanted = dict(
            pair.split("=") for pair in rate["pricing_group_values"].split("|") if pair
        )
        if (
            rate["rate_card_id"] == card
            and rate["product_id"] == product["product_id"]
            and rate["entitled"] != "false"
            and wanted == groups
            and instant(rate["starting_at"]) <= at
            and (not rate["ending_before"] or at < instant(rate["ending_before"]))
        ):
            return rate
    return None


def _keys(cell: str) -> list[str]:
    return [key for key in cell.split("|") if key]


def _lines(
    contract: dict[str, str], currency: str, events: list[Event]
) -> dict[tuple[str, tuple[tuple[str, str], ...]], Line]:
    metrics = {row["metric_id"]: row for row in table("billable_metrics")}
    lines: dict[tuple[str, tuple[tuple[str, str], ...]], Line] = {}
    card = contract["rate_card_id"]
    for event in sorted(events, key=lambda one: one.instant):
        hour = event.instant.replace(minute=0, second=0)
        for product in table("products"):
            value = _value(metrics[product["metric_id"]], event)
            if value is None:
                continue
            pricing = {
                key: event.properties.get(key, "")
                for key in _keys(product["pricing_group_keys"])
            }
            rate = _rate(card, product, pricing, hour)
            if rate is None:
                continue
            shown = {
                key: event.properties.get(key, "")
                for key in _keys(product["presentation_group_keys"])
            }
            groups = tuple(sorted((pricing | shown).items()))
            line = lines.setdefault(
                (product["product_id"], groups), Line(product, groups)
            )
            quantity = line.quantity + value
            amount = line.amount + _price(rate, quantity) - _price(rate, line.quantity)
            line.charges.append(
                Charge(
                    hour,
                    minor(amount, currency) - minor(line.amount, currency),
                    _unit_price(rate, line.quantity, quantity),
                )
            )
            line.quantity, line.amount = quantity, amount
    return lines


def _grants(customer_id: str, currency: str) -> list[dict[str, str]]:
    """Grants of a wallet in burn order, as far as the fixture needs the levels."""
    grants = [row | {"id": row["commit_id"]} for row in table("commits")]
    grants += [row | {"id": row["credit_id"]} for row in table("credits")]
    mine = [
        row
        for row in grants
        if row["customer_id"] == customer_id and row["currency"] == currency
    ]
    return sorted(
        mine, key=lambda row: (_is_promise(row), Decimal(row["priority"] or 100))
    )


def _is_promise(grant: dict[str, str]) -> bool:
    return grant.get("commit_type") == "POSTPAID"


def _draw(grant: dict[str, str], charge: Charge, amount_minor: int) -> None:
    if _is_promise(grant):
        charge.counted_minor += amount_minor
    else:
        charge.covered_minor += amount_minor


def _cover(
    lines: Iterable[Line],
    grants: list[dict[str, str]],
    currency: str,
    balances: dict[str, int],
) -> None:
    """Charge by charge: dearer lines first, then the product's name, then time."""
    drawn: dict[tuple[int, str], list[tuple[Charge, int]]] = defaultdict(list)
    ordered = sorted(
        lines, key=lambda line: (-line.unit_price, line.product["name"], line.groups)
    )
    for line in ordered:
        for charge in line.charges:
            left = max(charge.amount_minor, 0)
            for grant in grants:
                allowed = grant["applicable_product_ids"]
                if allowed and line.product["product_id"] not in allowed.split("|"):
                    continue
                if charge.at < instant(grant["starting_at"]):
                    continue
                if grant["ending_before"] <= charge.at.strftime("%Y-%m-%dT%H:%MZ"):
                    continue
                opening = minor(Decimal(grant["amount"]), currency)
                taken = min(left, balances.setdefault(grant["id"], opening))
                balances[grant["id"]] -= taken
                _draw(grant, charge, taken)
                left -= taken
                if taken:
                    drawn[id(line), grant["id"]].append((charge, taken))
    # Usage that was taken back is not covered: the latest draws return.
    for line in ordered:
        drawn_minor = line.covered_minor + line.counted_minor
        excess = drawn_minor - max(line.amount_minor, 0)
        for grant in reversed(grants):
            for charge, taken in reversed(drawn[id(line), grant["id"]]):
                returned = min(taken, max(excess, 0))
                _draw(grant, charge, -returned)
                balances[grant["id"]] += returned
                excess -= returned


def invoice(
    contract_id: str,
    period: tuple[str, str],
    landings: Iterable[Landing],
    balances: dict[str, int],
    *,
    as_of: str,
) -> Invoice:
    """Bill one period of a contract; `balances` (minor, by grant) is drawn down."""
    contract = _row("contracts", "contract_id", contract_id)
    customer_id = contract["customer_id"]
    currency = _row("rate_cards", "rate_card_id", contract["rate_card_id"])["currency"]
    customer = _row("customers", "customer_id", customer_id)
    refs = {customer_id, *_keys(customer["ingest_aliases"])}
    start, end = (datetime.fromisoformat(text) for text in period)
    events = [
        event
        for event in first_of_each(landings)
        if event.customer_ref in refs
        and start <= event.instant < min(end, instant(as_of))
    ]
    lines = _lines(contract, currency, events)
    _cover(lines.values(), _grants(customer_id, currency), currency, balances)
    return Invoice(
        usage_minor=sum(line.amount_minor for line in lines.values()),
        applied_minor=-sum(line.covered_minor for line in lines.values()),
        counted_minor=sum(line.counted_minor for line in lines.values()),
        lines=lines,
    )
