"""Whatever is to be published, whatever goes wrong: each invoice exactly once."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stripe_desk import BARE, PATIENT, Desk, request_for

from stripe_sync.rows import InvoiceRequest
from stripe_sync.sandbox import FAULT_KINDS, SimulatedDeath

AMOUNTS = st.lists(st.integers(-500, 5_000), min_size=1, max_size=6).filter(
    lambda amounts: sum(amounts) >= 0
)
INVOICES = st.lists(
    st.fixed_dictionaries(
        {
            "customer": st.sampled_from(["acme", "globex"]),
            "amounts": AMOUNTS,
            "currency": st.sampled_from(["usd", "eur", "jpy"]),
            "sent": st.booleans(),
            "held": st.booleans(),
        }
    ),
    min_size=1,
    max_size=4,
)
FAULT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(FAULT_KINDS),
        "nth": st.integers(1, 25),
        "times": st.integers(1, 3),
    }
)


def build(desk: Desk, wanted: list[dict[str, Any]]) -> list[InvoiceRequest]:
    customers = {
        name: desk.customer(name, payment_method="pm_card_visa")
        for name in ("acme", "globex")
    }
    return [
        request_for(
            customers[each["customer"]],
            each["amounts"],
            invoice_id=f"inv-{number}",
            currency=each["currency"],
            held=each["held"],
            collection_method="send_invoice"
            if each["sent"]
            else "charge_automatically",
            days_until_due=30 if each["sent"] else None,
        )
        for number, each in enumerate(wanted)
    ]


@pytest.mark.soak
@settings(
    max_examples=200 if os.environ.get("METERHOUSE_SOAK") else 25,
    deadline=None,
    # Derived from the test alone, so that every run tries the same examples.
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    wanted=INVOICES,
    first=FAULT,
    second=FAULT,
    pause=st.sampled_from([0, 1, 25]),
    patient=st.booleans(),
)
def test_published_twice_through_random_faults(
    wanted: list[dict[str, Any]],
    first: dict[str, Any],
    second: dict[str, Any],
    pause: int,
    patient: bool,
) -> None:
    desk = Desk()
    requests = build(desk, wanted)
    for fault in (first, second):
        desk.sandbox.faults.add(**fault)
        with suppress(SimulatedDeath):
            desk.publish(*requests, policy=PATIENT if patient else BARE)
        desk.restart()
        desk.sandbox.advance(timedelta(hours=pause))
    # Calm at last: one run must settle everything, a further one change nothing.
    results = desk.publish(*requests)
    asked = len(desk.sandbox.requests())
    again = desk.publish(*[r for r in requests if not r.held])
    assert len(desk.sandbox.requests()) == asked
    assert [r.state for r in again] == ["published"] * len(again)
    expected = {
        f"inv-{number}": (sum(each["amounts"]), each["currency"], len(each["amounts"]))
        for number, each in enumerate(wanted)
    }
    found = desk.invoices()
    counted = Counter(i["metadata"]["billing_invoice_id"] for i in found)
    assert counted == Counter(expected.keys())
    for invoice in found:
        name = invoice["metadata"]["billing_invoice_id"]
        items = desk.items(invoice["id"])
        assert (invoice["total"], invoice["currency"], len(items)) == expected[name]
        held = wanted[int(name.removeprefix("inv-"))]["held"]
        assert (invoice["status"] == "draft") == held
    assert [r.state for r in results] == [
        "held" if each["held"] else "published" for each in wanted
    ]
    assert desk.items(None) == []
    desk.sandbox.close()
