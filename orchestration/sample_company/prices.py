"""The price book of the sample company: products, rates, tiers, commits and credits.

Prices are decimal text from the start. Rows are dictionaries of text in the columns of
the catalog contract; `catalog.py` writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from orchestration.sample_company.roles import Customer
from orchestration.sample_company.shape import Shape, instant

Row = dict[str, str]

_UNIT = Decimal("0.000000000001")  # unit prices are decimal(18,12)
# USD to the card's currency; a price list, not an exchange rate.
CURRENCIES = {"USD": Decimal(1), "EUR": Decimal("0.92"), "JPY": Decimal("150")}
_EXPONENT = {"USD": 2, "EUR": 2, "JPY": 0}

# USD per million tokens (input, output); further models are priced like the medium one.
_PER_MILLION = {
    "nw-small": (Decimal("0.15"), Decimal("0.60")),
    "nw-medium": (Decimal("0.80"), Decimal("4.00")),
    "nw-large": (Decimal("3.00"), Decimal("15.00")),
    "nw-preview": (Decimal("5.00"), Decimal("25.00")),
}
_REGION = {"us": Decimal("1"), "eu": Decimal("1.1"), "ap": Decimal("1.25")}
_TIER = {
    "standard": Decimal("1"),
    "priority": Decimal("1.75"),
    "batch": Decimal("0.5"),
}
_STORAGE_GB_HOUR = Decimal("0.000119863014")  # about 0.0875 USD per GB and month
_REQUEST_TIERS = (Decimal("0.00040"), Decimal("0.00032"), Decimal("0.00025"))
# Average USD per event at full size, measured; sizes grants and nothing else.
_AVERAGE_EVENT = Decimal("0.019")


def text(moment: datetime | None) -> str:
    """ISO 8601 in UTC, or blank."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _plain(value: Decimal) -> str:
    return format(value, "f")


def _unit_price(usd: Decimal, currency: str) -> str:
    price = usd * CURRENCIES[currency]
    return _plain(price.quantize(_UNIT, rounding=ROUND_HALF_UP))


def card_id(currency: str) -> str:
    """The rate card of a currency."""
    return f"list-{currency.lower()}"


def rate_cards() -> Iterator[Row]:
    """One card per currency."""
    for currency in CURRENCIES:
        yield {
            "rate_card_id": card_id(currency),
            "name": f"List prices in {currency}",
            "currency": currency,
        }


def _price_cut(shape: Shape, model: str) -> tuple[datetime, Decimal] | None:
    """When a model becomes cheaper, and the factor. Mid-month, once off midnight."""
    if model == "nw-large":
        return shape.anchor(1, 15), Decimal("0.8")
    if model == "nw-medium":
        return shape.anchor(2, 10, 14), Decimal("0.75")
    return None


def _token_windows(
    shape: Shape, model: str
) -> list[tuple[str, datetime, datetime | None, Decimal]]:
    opening = instant(shape.start)
    cut = _price_cut(shape, model)
    if cut is None:
        return [("1", opening, None, Decimal(1))]
    changed_at, factor = cut
    return [
        ("1", opening, changed_at, Decimal(1)),
        ("2", changed_at, None, factor),
    ]


def _token_rates(shape: Shape, currency: str) -> Iterator[Row]:
    rated = shape.model_names[:-1]  # the nightly model has no rate at all
    for position, product_id in enumerate(("input_tokens", "output_tokens")):
        for model in rated:
            base = _PER_MILLION.get(model, _PER_MILLION["nw-medium"])[position]
            base = base.scaleb(-6)
            for region in shape.region_names:
                for tier in shape.tier_names:
                    usd = base * _REGION.get(region, Decimal("1.2"))
                    usd *= _TIER.get(tier, Decimal("0.9"))
                    key = f"model={model}|region={region}|service_tier={tier}"
                    for name, start, end, factor in _token_windows(shape, model):
                        slug = f"{model}-{region}-{tier}-{name}"
                        yield {
                            "rate_id": f"{card_id(currency)}-{product_id}-{slug}",
                            "rate_card_id": card_id(currency),
                            "product_id": product_id,
                            "price_model": "flat",
                            "pricing_group_values": key,
                            "unit_price": _unit_price(usd * factor, currency),
                            "starting_at": text(start),
                            "ending_before": text(end),
                            # Usage of the preview is metered and listed, not billed.
                            "entitled": "false" if model == "nw-preview" else "true",
                        }


def rates(shape: Shape) -> Iterator[Row]:
    """Every rate of every card."""
    opening = text(instant(shape.start))
    for currency in CURRENCIES:
        card = card_id(currency)
        common = {"rate_card_id": card, "starting_at": opening, "ending_before": ""}
        yield from _token_rates(shape, currency)
        yield {
            "rate_id": f"{card}-api_requests-1",
            "product_id": "api_requests",
            "price_model": "graduated",
            "entitled": "true",
            **common,
        }
        for region in shape.region_names:
            usd = _STORAGE_GB_HOUR * _REGION.get(region, Decimal("1.2"))
            yield {
                "rate_id": f"{card}-storage-{region}-1",
                "product_id": "storage",
                "price_model": "flat",
                "pricing_group_values": f"region={region}",
                "unit_price": _unit_price(usd, currency),
                "entitled": "true",
                **common,
            }
        yield {
            "rate_id": f"{card}-failed_requests-1",
            "product_id": "failed_requests",
            "price_model": "flat",
            "unit_price": _unit_price(Decimal("0.0001"), currency),
            "entitled": "false",
            **common,
        }


def request_tier_bounds(shape: Shape) -> tuple[int, int]:
    """Upper bounds of the first two request tiers, sized to the data.

    The largest customer passes both in a month, a mid-sized one only the first.
    """
    monthly = shape.events * shape.customer_share(0) * 30 / shape.day_count
    return _round_down(monthly / 25), _round_down(monthly / 3)


def _round_down(value: float) -> int:
    """One significant digit, at least 1, as price lists have it."""
    whole = max(1, int(value))
    step = 10 ** (len(str(whole)) - 1)
    return whole // step * step


def rate_tiers(shape: Shape) -> Iterator[Row]:
    """Three tiers for the requests of each card."""
    first, second = request_tier_bounds(shape)
    second = max(second, first + 1)
    starts, ends = ("0", str(first), str(second)), (str(first), str(second), "")
    for currency in CURRENCIES:
        for start, end, usd in zip(starts, ends, _REQUEST_TIERS, strict=True):
            yield {
                "rate_id": f"{card_id(currency)}-api_requests-1",
                "tier_start": start,
                "tier_end": end,
                "unit_price": _unit_price(usd * shape.volume_factor, currency),
            }


def _money(usd: Decimal, currency: str) -> str:
    """An amount in the currency's minor units, never below one whole unit."""
    amount = max(Decimal(1), usd * CURRENCIES[currency])
    return _plain(
        amount.quantize(Decimal(1).scaleb(-_EXPONENT[currency]), ROUND_HALF_UP)
    )


def _expected_month(shape: Shape, customer: Customer) -> Decimal:
    """Rough list-price spend of a month in USD."""
    events = shape.events * shape.volume_factor * 30 // shape.day_count
    share = Decimal(repr(shape.customer_share(customer.number)))
    return events * share * _AVERAGE_EVENT


def commits(shape: Shape, customers: list[Customer]) -> Iterator[Row]:
    """Prepaid commits of the largest customers."""
    opening = instant(shape.start)
    a_year_on = instant(shape.start.replace(year=shape.start.year + 1))

    def commit(
        number: int, name: str, months: str, cost: str, start: datetime, **rest: str
    ) -> Row:
        customer = customers[number]
        worth = _expected_month(shape, customer) * Decimal(months)
        return {
            "commit_id": f"commit-{number + 1:04d}-{name}",
            "customer_id": customer.customer_id,
            "name": f"Prepaid {name} commit",
            "commit_type": "PREPAID",
            "currency": customer.currency,
            "amount": _money(worth, customer.currency),
            "invoice_amount": _money(worth * Decimal(cost), customer.currency),
            "starting_at": text(start),
            "priority": "100",
            "created_at": text(opening),
            **rest,
        }

    # Outlasts the sample.
    yield commit(0, "annual", "8", "0.9", opening, ending_before=text(a_year_on))
    # Used up within the first month, so later months are paid in money.
    yield commit(1, "starter", "0.4", "1", opening, ending_before=text(a_year_on))
    # Access opens and shuts between midnights: the days have to be cut there.
    yield commit(
        2,
        "seasonal",
        "1.5",
        "1",
        shape.anchor(0, 10, 7),
        ending_before=text(shape.anchor(2, 25, 15)),
        contract_id=customers[2].terms[0].contract_id,
    )
    # Two commits of one customer: the lower priority number burns first.
    yield commit(3, "first", "0.5", "1", opening, priority="90")
    yield commit(3, "second", "0.7", "0.95", opening, ending_before=text(a_year_on))


def credits(shape: Shape, customers: list[Customer]) -> Iterator[Row]:
    """Signup credits of the self-serve customers and a few special ones."""
    opening = instant(shape.start)
    scale = Decimal(max(1, shape.events // 1_000_000))

    def credit(
        number: int, name: str, amount: str, start: datetime, **rest: str
    ) -> Row:
        customer = customers[number]
        return {
            "credit_id": f"credit-{number + 1:04d}-{name}",
            "customer_id": customer.customer_id,
            "name": f"{name.capitalize()} credit",
            "currency": customer.currency,
            "amount": amount,
            "starting_at": text(start),
            "priority": "50",
            "created_at": text(start),
            **rest,
        }

    def worth(number: int, months: str) -> str:
        customer = customers[number]
        usd = _expected_month(shape, customer) * Decimal(months)
        return _money(usd, customer.currency)

    month = shape.anchor(0, 5, 6), shape.anchor(1, 20, 18)
    tokens = "input_tokens|output_tokens"
    # Half a cent: fiat grants are rounded, half away from zero, when created.
    yield credit(0, "goodwill", "7.505", opening)
    yield credit(
        2, "storage", worth(2, "0.01"), opening, applicable_product_ids="storage"
    )
    yield credit(5, "welcome", worth(5, "0.5"), opening, ending_before=text(month[1]))
    yield credit(7, "incident", worth(7, "0.2"), month[0], ending_before=text(month[1]))
    contract_id = customers[10].terms[0].contract_id
    yield credit(10, "contract", worth(10, "0.3"), opening, contract_id=contract_id)
    # Same priority: the narrower scope burns first, then the earlier end.
    ends = {"ending_before": text(month[1])}
    yield credit(12, "token", worth(12, "0.1"), opening, applicable_product_ids=tokens)
    yield credit(12, "launch", worth(12, "0.2"), opening, **ends)
    for customer in customers:
        if customer.segment != "self-serve" or customer.active_from is None:
            continue
        free = Decimal((10, 25, 50, 100)[customer.number % 4]) * scale
        start = customer.active_from
        yield credit(
            customer.number,
            "signup",
            _money(free, customer.currency),
            start,
            ending_before=text(start + timedelta(days=30)),
        )
