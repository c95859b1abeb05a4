"""Fixtures of the publishing stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from stripe_desk import Desk, request_for

from stripe_sync.rows import InvoiceRequest


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "enable_telemetry", False)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.sandbox.close()


@pytest.fixture
def make_request(desk: Desk) -> Callable[..., InvoiceRequest]:
    def make(amounts: list[int], **changes: Any) -> InvoiceRequest:
        customer = changes.pop("stripe_customer_id", desk.acme)
        return request_for(customer, amounts, **changes)

    return make
