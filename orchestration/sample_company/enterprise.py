"""The customer of docs/ledger.md: a contract from signing to renewal, made by hand.

Nothing of it is drawn, and its products are nobody else's: the other customers' events
and figures are what they would be without it. Months count from the sample's first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from orchestration.sample_company.prices import Row, text
from orchestration.sample_company.shape import Shape, first_of_month, instant

CUSTOMER = "northgate"
NAME = "Northgate Insurance"
PILOT, RENEWAL = "northgate-pilot", "northgate-year"
CAPACITY, PROMISE = "northgate-capacity", "northgate-training"
NEXT_CAPACITY, SIGNING = "northgate-capacity-year", "northgate-signing"
CARD = "northgate-usd"
# Metric and product -> what it is called, the event, the price of an hour.
PRODUCTS: Mapping[str, tuple[str, str, str]] = {
    "gpu_hours": ("GPU hours", "gpu.session", "2"),
    "training_hours": ("Training hours", "training.run", "10"),
}
# (Product, month) -> hours of each session, on these days of the month.
USAGE: Mapping[tuple[str, int], tuple[int, tuple[int, ...]]] = {
    ("gpu_hours", 0): (375, (3, 10, 17, 24)),
    ("gpu_hours", 1): (250, (7, 14, 21, 28)),
    ("gpu_hours", 2): (225, (7, 14, 21, 28)),
    ("training_hours", 0): (30, (12, 26)),
    ("training_hours", 1): (20, (9, 23)),
    ("training_hours", 2): (25, (12, 26)),
}


@dataclass(frozen=True)
class Correction:
    """What an operator gives by hand, between the first close and the second."""

    grant_id: str
    amount: str
    reason: str
    actor: str
    effective_at: datetime


def correction(start: date) -> Correction:
    """The one entry by hand of a company that starts on a day."""
    return Correction(
        CAPACITY,
        "250",
        "Outage of the 14th, ticket 4711",
        "jo@northwind.example",
        instant(first_of_month(start, 1).replace(day=15)),
    )


def events_of(shape: Shape, day: date) -> list[dict[str, Any]]:
    """Rows in EVENT_COLUMNS of what happens on a day; received within the minute."""
    rows = []
    for (product, month), (hours, days) in USAGE.items():
        first = first_of_month(shape.start, month)
        if day in {first.replace(day=number) for number in days}:
            moment = instant(day, 10)
            rows.append(
                {
                    "transaction_id": f"{CUSTOMER}-{product}-{day.isoformat()}",
                    "customer_id": CUSTOMER,
                    "event_type": PRODUCTS[product][1],
                    "timestamp": text(moment),
                    "properties": f'{{"hours":{hours}}}',
                    "received_at": text(moment + timedelta(seconds=30)),
                }
            )
    return rows


def totals(shape: Shape) -> Iterator[dict[str, Any]]:
    """Quantities of the sample's months, in the form of truth.json."""
    for (product, month), (hours, days) in USAGE.items():
        first = first_of_month(shape.start, month)
        happened = [d for d in days if first.replace(day=d) < shape.end]
        if happened:
            yield {
                "customer_id": CUSTOMER,
                "metric_id": product,
                "month": first.strftime("%Y-%m"),
                "group": {},
                "quantity": str(hours * len(happened)),
            }


def _at(shape: Shape, month: int) -> str:
    return text(instant(first_of_month(shape.start, month)))


def _commits(shape: Shape) -> list[Row]:
    common = {"customer_id": CUSTOMER, "currency": "USD", "created_at": _at(shape, 0)}
    return [
        {
            **common,
            "commit_id": CAPACITY,
            "contract_id": PILOT,
            "name": "GPU capacity, pilot",
            "commit_type": "PREPAID",
            "amount": "6000",
            "starting_at": _at(shape, 0),
            "ending_before": _at(shape, 2),
            "applicable_product_ids": "gpu_hours",
            "rollover_fraction": "0.2",
        },
        {
            **common,
            "commit_id": PROMISE,
            "contract_id": PILOT,
            "name": "Training promise",
            "commit_type": "POSTPAID",
            "amount": "1500",
            "starting_at": _at(shape, 0),
            "ending_before": _at(shape, 2),
            "applicable_product_ids": "training_hours",
        },
        {
            **common,
            "commit_id": NEXT_CAPACITY,
            "contract_id": RENEWAL,
            "name": "GPU capacity, year",
            "commit_type": "PREPAID",
            "amount": "12000",
            "starting_at": _at(shape, 2),
            "ending_before": _at(shape, 14),
            "applicable_product_ids": "gpu_hours",
        },
    ]


def _schedules(shape: Shape) -> list[Row]:
    return [
        {"commit_id": commit, "amount": amount, "invoice_at": _at(shape, month)}
        for commit, amount, months in (
            (CAPACITY, "2700", (0, 1)),
            (PROMISE, "1500", (2,)),
            (NEXT_CAPACITY, "2700", (2, 5, 8, 11)),
        )
        for month in months
    ]


def _contracts(shape: Shape) -> list[Row]:
    return [
        {
            "contract_id": contract,
            "customer_id": CUSTOMER,
            "rate_card_id": CARD,
            "name": f"{NAME}, {name}",
            "starting_at": _at(shape, start),
            "ending_before": _at(shape, end),
            "billing_frequency": "MONTHLY",
            "billing_day": "FIRST_OF_MONTH",
            "renews_contract_id": renewed,
        }
        for contract, name, start, end, renewed in (
            (PILOT, "pilot", 0, 2, ""),
            (RENEWAL, "year", 2, 14, PILOT),
        )
    ]


def catalog_rows(shape: Shape) -> dict[str, list[Row]]:
    """Its rows of each catalog file."""
    return {
        "customers": [
            {
                "customer_id": CUSTOMER,
                "name": NAME,
                "email": "billing@northgate.example",
                "billing_profile_id": "invoice30",
            }
        ],
        "billable_metrics": [
            {
                "metric_id": product,
                "name": name,
                "aggregation": "SUM",
                "aggregation_key": "hours",
                "event_types": event,
            }
            for product, (name, event, _) in PRODUCTS.items()
        ],
        "products": [
            {
                "product_id": product,
                "name": name,
                "product_type": "USAGE",
                "metric_id": product,
            }
            for product, (name, _, _) in PRODUCTS.items()
        ],
        "rate_cards": [
            {"rate_card_id": CARD, "name": f"Prices of {NAME}", "currency": "USD"}
        ],
        "rates": [
            {
                "rate_id": f"{CARD}-{product}",
                "rate_card_id": CARD,
                "product_id": product,
                "price_model": "flat",
                "unit_price": price,
                "starting_at": _at(shape, 0),
                "entitled": "true",
            }
            for product, (_, _, price) in PRODUCTS.items()
        ],
        "contracts": _contracts(shape),
        "commits": _commits(shape),
        "invoice_schedules": _schedules(shape),
        "credits": [
            {
                "credit_id": SIGNING,
                "customer_id": CUSTOMER,
                "contract_id": PILOT,
                "name": "Signing credit",
                "currency": "USD",
                "amount": "500",
                "starting_at": _at(shape, 0),
                "applicable_product_ids": "gpu_hours",
                "created_at": _at(shape, 0),
            }
        ],
    }
