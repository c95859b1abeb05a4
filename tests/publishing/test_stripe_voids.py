"""An invoice that is void here: deleted as a draft, voided while unpaid, else left."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from stripe_desk import BARE, ENVIRONMENT, PATIENT, Desk, request_for

from stripe_sync.publisher import PublishPolicy
from stripe_sync.rows import InvoiceRequest, PublishResult
from stripe_sync.sandbox import SimulatedDeath
from stripe_sync.voids import void

BY_MAIL: dict[str, Any] = {"collection_method": "send_invoice", "days_until_due": 30}


def void_one(
    desk: Desk,
    request: InvoiceRequest,
    policy: PublishPolicy = PATIENT,
    environment: str = ENVIRONMENT,
) -> PublishResult:
    [result] = void(
        [request],
        clients={"default": desk.client},
        journal=desk.journal,
        environment=environment,
        clock=lambda: desk.sandbox.now,
        policy=policy,
    )
    return result


def statuses(desk: Desk) -> list[str]:
    return [
        item["status"]
        for item in desk.invoices()
        if item["metadata"].get("billing_invoice_id") == "inv-0001"
    ]


def test_what_was_never_sent_is_not_sent() -> None:
    desk = Desk()
    # The customer is known by another invoice: Stripe need not be asked.
    desk.publish_one(request_for(desk.acme, [5], invoice_id="inv-0"))
    result = void_one(desk, request_for(desk.acme, [683]))
    assert (result.state, result.error, result.requests) == ("voided", None, 0)
    assert statuses(desk) == []


def test_a_draft_is_deleted() -> None:
    desk = Desk()
    request = request_for(desk.acme, [683], held=True)
    assert desk.publish_one(request).state == "held"
    result = void_one(desk, request)
    assert (result.state, result.stripe_status) == ("voided", "deleted")
    assert statuses(desk) == []


@pytest.mark.parametrize("uncollectible", [False, True])
def test_what_is_open_is_voided_once(uncollectible: bool) -> None:
    desk = Desk()
    request = request_for(desk.acme, [683], **BY_MAIL)
    sent = desk.publish_one(request)
    assert sent.stripe_invoice_id
    if uncollectible:
        desk.client.v1.invoices.mark_uncollectible(sent.stripe_invoice_id)
    result = void_one(desk, request)
    assert (result.state, result.stripe_status, result.error) == (
        "voided",
        "void",
        None,
    )
    assert statuses(desk) == ["void"]
    assert void_one(desk, request).requests == 0
    assert len(desk.events("invoice.voided")) == 1


def test_what_is_paid_stays_and_is_named() -> None:
    desk = Desk()
    request = request_for(desk.acme, [683])
    desk.publish_one(request)
    desk.sandbox.advance(timedelta(days=1))
    assert statuses(desk) == ["paid"]
    result = void_one(desk, request)
    assert result.state == "refused"
    assert result.error is not None
    assert result.error.startswith("void_here_paid_in_stripe: in_")
    assert result.error.endswith(" has 683 of 683 paid; refund it there")
    assert statuses(desk) == ["paid"]
    row = desk.journal.get("default", "inv-0001")
    assert row is not None and row.state == "published"


def test_what_a_person_voided_in_stripe_is_no_news() -> None:
    desk = Desk()
    request = request_for(desk.acme, [683], **BY_MAIL)
    sent = desk.publish_one(request)
    assert sent.stripe_invoice_id
    desk.client.v1.invoices.void_invoice(sent.stripe_invoice_id)
    assert void_one(desk, request).state == "voided"
    assert len(desk.events("invoice.voided")) == 1


def test_what_another_environment_sent_is_left() -> None:
    desk = Desk()
    request = request_for(desk.acme, [683], **BY_MAIL)
    desk.publish_one(request)
    result = void_one(desk, request, environment="elsewhere")
    assert result.state == "refused"
    assert (result.error or "").startswith("environment_differs")
    assert statuses(desk) == ["open"]


def test_a_lost_journal_does_not_leave_it_open() -> None:
    desk = Desk()
    request = request_for(desk.acme, [683], **BY_MAIL)
    desk.publish_one(request)
    empty = Desk()
    desk.journal = empty.journal
    assert void_one(desk, request).state == "voided"
    assert statuses(desk) == ["void"]


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(
    "fault", ["die_before", "die_after", "drop_after", "rate_limit", "error_after"]
)
@pytest.mark.parametrize("pause", [timedelta(0), timedelta(hours=25)])
def test_a_run_that_dies_is_repeated(fault: Any, held: bool, pause: timedelta) -> None:
    for nth in count(1):
        desk = Desk()
        request = request_for(desk.acme, [683], held=held, **BY_MAIL)
        desk.publish_one(request)
        planned = desk.sandbox.faults.add(fault, nth=nth)
        with suppress(SimulatedDeath):
            void_one(desk, request, BARE)
        if not planned.struck:
            # retrieve, and delete or void
            assert nth == 3
            return
        desk.restart()
        desk.sandbox.advance(pause)
        assert void_one(desk, request, BARE).state == "voided", (fault, nth)
        assert statuses(desk) == ([] if held else ["void"])
        assert len(desk.events("invoice.voided")) == (0 if held else 1)


def test_a_draft_whose_answer_was_lost_is_found() -> None:
    desk = Desk()
    request = request_for(desk.acme, [683])
    desk.sandbox.faults.add("die_after", path="/v1/invoices")
    with suppress(SimulatedDeath):
        desk.publish_one(request, policy=BARE)
    desk.restart()
    assert void_one(desk, request).state == "voided"
    assert statuses(desk) == []
