"""A sandbox, a journal and requests made by hand, for the tests of this stage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from stripe_sync.journal import PublishJournal
from stripe_sync.publisher import PublishPolicy, publish
from stripe_sync.retry import RetryPolicy
from stripe_sync.rows import InvoiceRequest, LineRequest, PublishResult
from stripe_sync.sandbox import Sandbox, SimulatedDeath

ENVIRONMENT = "test"
JULY = datetime(2026, 7, 1, tzinfo=UTC)
JULY_LAST_SECOND = datetime(2026, 7, 31, 23, 59, 59, tzinfo=UTC)
START = datetime(2026, 8, 2, tzinfo=UTC)

# One try, one pass: a fault is left for the next run to repair.
BARE = PublishPolicy(retry=RetryPolicy(tries=1, sleep=lambda _: None), passes=1)
# As in life, only without waiting.
PATIENT = PublishPolicy(retry=RetryPolicy(tries=5, sleep=lambda _: None), passes=2)


def line(number: int, amount: int, **changes: Any) -> LineRequest:
    """A line with amount in minor units; ids ``line-0001`` …"""
    return replace(
        LineRequest(
            line_id=f"line-{number:04d}",
            position=number,
            amount_minor=amount,
            description=f"Tokens, model {number}",
            period_start=JULY,
            period_end=JULY_LAST_SECOND,
            metadata={"billing_product_id": "tokens"},
        ),
        **changes,
    )


def request_for(
    stripe_customer_id: str,
    amounts: list[int],
    *,
    invoice_id: str = "inv-0001",
    **changes: Any,
) -> InvoiceRequest:
    """A publishable request over the given line amounts."""
    lines = tuple(line(n, amount) for n, amount in enumerate(amounts, start=1))
    total = 0
    for amount in amounts:
        total += amount
    base = InvoiceRequest(
        invoice_id=invoice_id,
        account="default",
        customer_id="acme",
        stripe_customer_id=stripe_customer_id,
        currency="usd",
        collection_method="charge_automatically",
        days_until_due=None,
        auto_finalize=True,
        held=False,
        description="Usage of July 2026",
        metadata={
            "billing_env": ENVIRONMENT,
            "billing_invoice_id": invoice_id,
            "billing_customer_id": "acme",
        },
        subtotal_minor=total,
        line_count=len(amounts),
        lines=lines,
    )
    return replace(base, **changes)


class Desk:
    """A sandbox, a journal and one customer: what a publishing run needs."""

    def __init__(self, path: Path | None = None) -> None:
        self.sandbox = Sandbox(path, start=START)
        self.engine = create_engine(
            "sqlite://",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
        self.journal = PublishJournal(self.engine)
        self.client = self.sandbox.client()
        self.acme = self.customer("acme", payment_method="pm_card_visa")

    def customer(self, name: str, **options: Any) -> str:
        return self.sandbox.provision_customer(
            "default", name, name=name.title(), email=f"{name}@example.com", **options
        )

    def restart(self) -> None:
        """What a new process sees: the same stores, nothing in memory."""
        self.sandbox.faults.clear()
        self.journal = PublishJournal(self.engine)
        self.client = self.sandbox.client()

    def publish(
        self,
        *requests: InvoiceRequest,
        policy: PublishPolicy = PATIENT,
        environment: str = ENVIRONMENT,
    ) -> list[PublishResult]:
        return publish(
            requests,
            clients={"default": self.client},
            journal=self.journal,
            environment=environment,
            clock=lambda: self.sandbox.now,
            policy=policy,
        )

    def publish_one(self, request: InvoiceRequest, **options: Any) -> PublishResult:
        [result] = self.publish(request, **options)
        return result

    def invoices(self) -> list[dict[str, Any]]:
        return self.sandbox.objects("invoice")

    def items(self, invoice_id: str | None) -> list[dict[str, Any]]:
        return [
            item
            for item in self.sandbox.objects("invoiceitem")
            if item["invoice"] == invoice_id
        ]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.sandbox.objects("event") if e["type"] == kind]


def die_at(desk: Desk, request: InvoiceRequest, path: str, kind: Any) -> None:
    """Publish until the process dies at a request; then a new one is at hand."""
    desk.sandbox.faults.add(kind, path=path)
    with pytest.raises(SimulatedDeath):
        desk.publish_one(request, policy=BARE)
    desk.restart()
