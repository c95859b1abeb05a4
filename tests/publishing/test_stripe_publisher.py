"""What the publisher does with what it finds at Stripe."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from stripe_desk import BARE, ENVIRONMENT, PATIENT, Desk, die_at, request_for

from stripe_sync.journal import CustomerLocked, PublishJournal
from stripe_sync.publisher import PublishPolicy, publish
from stripe_sync.rows import InvoiceRequest, PublishResult
from stripe_sync.sandbox import InProcessClient, Sandbox, SimulatedDeath

Make = Callable[..., InvoiceRequest]


# -- the plain road ---------------------------------------------------------------


def test_a_published_invoice_says_what_was_asked(
    desk: Desk, make_request: Make
) -> None:
    request = make_request([1200, -200, 35], description="July")
    result = desk.publish_one(request)
    assert result.state == "published" and result.error is None
    [invoice] = desk.invoices()
    assert result.stripe_invoice_id == invoice["id"]
    assert (result.total_minor, result.tax_minor) == (1035, 0)
    assert result.stripe_number == invoice["number"] is not None
    assert result.hosted_url == invoice["hosted_invoice_url"]
    assert invoice["description"] == "July"
    assert invoice["auto_advance"] is True
    marks = invoice["metadata"]
    assert marks["billing_invoice_id"] == "inv-0001"
    assert marks["billing_env"] == ENVIRONMENT
    assert marks["billing_customer_id"] == "acme"
    assert marks["billing_generation"] == "1"
    assert len(marks["billing_content_hash"]) == 64
    items = desk.items(invoice["id"])
    assert [item["amount"] for item in items] == [1200, -200, 35]
    assert items[0]["metadata"] == {
        "billing_product_id": "tokens",
        "billing_env": ENVIRONMENT,
        "billing_invoice_id": "inv-0001",
        "billing_line_id": "line-0001",
    }
    # 2026-07-01T00:00:00Z and 2026-07-31T23:59:59Z
    assert items[0]["period"] == {"start": 1782864000, "end": 1785542399}


def test_lines_go_out_by_position_fifty_at_a_time(
    desk: Desk, make_request: Make
) -> None:
    request = make_request(list(range(1, 102)))
    shuffled = replace(request, lines=request.lines[::-1])
    assert desk.publish_one(shuffled).state == "published"
    sent = [r.path for r in desk.sandbox.requests() if r.path.endswith("add_lines")]
    assert len(sent) == 3
    [invoice] = desk.invoices()
    amounts = [item["amount"] for item in desk.items(invoice["id"])]
    assert amounts == list(range(1, 102))


def test_repeating_asks_stripe_nothing(desk: Desk, make_request: Make) -> None:
    first = desk.publish_one(make_request([500]))
    asked = len(desk.sandbox.requests())
    again = desk.publish_one(make_request([500]))
    assert again == replace(first, requests=0)
    assert len(desk.sandbox.requests()) == asked


def test_an_intent_is_written_before_every_call(desk: Desk, make_request: Make) -> None:
    seen: list[tuple[str, int, int]] = []
    real = desk.sandbox.handle

    def watch(method: str, path: str, *rest: Any) -> Any:
        rows = desk.journal.attempts("default", "inv-0001")
        waiting = [row for row in rows if row["outcome"] is None]
        seen.append((waiting[0]["operation"], len(waiting), len(rows)))
        return real(method, path, *rest)

    desk.sandbox.handle = watch  # type: ignore[method-assign]
    desk.publish_one(make_request([500]))
    operations = [
        "list_invoices",
        "create",
        "add_lines",
        "retrieve",
        "list_lines",
        "finalize",
    ]
    assert seen == [(name, 1, n) for n, name in enumerate(operations, start=1)]
    rows = desk.journal.attempts("default", "inv-0001")
    assert {row["outcome"] for row in rows} == {"ok"}
    assert all(row["request_id"].startswith("req_") for row in rows)


def test_a_sent_invoice_is_mailed_once_and_waits(
    desk: Desk, make_request: Make
) -> None:
    request = make_request([500], collection_method="send_invoice", days_until_due=14)
    desk.publish_one(request)
    desk.publish_one(request)
    assert len(desk.events("invoice.sent")) == 1
    [invoice] = desk.invoices()
    assert invoice["status"] == "open"
    assert invoice["due_date"] - desk.sandbox.now.timestamp() == 14 * 86_400


def test_a_mail_known_to_be_out_is_not_sent_again(
    desk: Desk, make_request: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Death after the answer to ``send`` was noted, before ``published`` was."""
    request = make_request([500], collection_method="send_invoice", days_until_due=14)
    real = PublishJournal.change

    def die(self: PublishJournal, row: Any, **values: Any) -> Any:
        if values.get("state") == "published":
            raise SimulatedDeath("before published")
        return real(self, row, **values)

    with monkeypatch.context() as patch:
        patch.setattr(PublishJournal, "change", die)
        with pytest.raises(SimulatedDeath):
            desk.publish_one(request)
    desk.sandbox.advance(timedelta(hours=25))
    assert desk.publish_one(request).state == "published"
    assert len(desk.events("invoice.sent")) == 1


def test_no_mail_unless_wanted(desk: Desk, make_request: Make) -> None:
    request = make_request([500], collection_method="send_invoice", days_until_due=14)
    quiet = replace(PATIENT, send_emails=False)
    assert desk.publish_one(request, policy=quiet).state == "published"
    assert desk.events("invoice.sent") == []


def test_a_mail_that_cannot_go_does_not_unpublish(
    desk: Desk, make_request: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = make_request([500], collection_method="send_invoice", days_until_due=14)

    def refuse(*_: Any, **__: Any) -> None:
        raise stripe.InvalidRequestError("no address", "email", http_status=400)

    monkeypatch.setattr(stripe.InvoiceService, "send_invoice", refuse)
    result = desk.publish_one(request)
    assert result.state == "published"
    assert result.error is not None and result.error.startswith("mail_not_sent")


# -- held drafts ------------------------------------------------------------------


@pytest.mark.parametrize("how", [{"held": True}, {"auto_finalize": False}])
def test_a_held_invoice_is_a_complete_draft(
    desk: Desk, make_request: Make, how: dict[str, bool]
) -> None:
    result = desk.publish_one(make_request([500, 300], **how))
    assert (result.state, result.total_minor, result.error) == ("held", 800, None)
    [draft] = desk.invoices()
    assert (draft["status"], draft["auto_advance"]) == ("draft", False)
    desk.sandbox.advance(timedelta(days=40))
    assert desk.invoices()[0]["status"] == "draft"


def test_release_finalizes_the_same_draft(desk: Desk, make_request: Make) -> None:
    held = desk.publish_one(make_request([500], held=True))
    desk.sandbox.advance(timedelta(days=3))
    assert desk.publish_one(make_request([500], held=True)).state == "held"
    released = desk.publish_one(make_request([500]))
    assert released.state == "published"
    assert released.stripe_invoice_id == held.stripe_invoice_id
    assert len(desk.invoices()) == 1


def test_a_draft_finalized_by_hand_is_adopted(desk: Desk, make_request: Make) -> None:
    held = desk.publish_one(make_request([500], auto_finalize=False))
    assert held.stripe_invoice_id is not None
    desk.client.v1.invoices.finalize_invoice(held.stripe_invoice_id)
    result = desk.publish_one(make_request([500], auto_finalize=False))
    assert (result.state, result.stripe_status) == ("published", "open")


def test_a_draft_altered_and_finalized_by_hand_is_no_success(
    desk: Desk, make_request: Make
) -> None:
    held = desk.publish_one(make_request([500], held=True))
    assert held.stripe_invoice_id is not None
    desk.client.v1.invoices.add_lines(
        held.stripe_invoice_id, {"lines": [{"amount": 7, "description": "tip"}]}
    )
    desk.client.v1.invoices.finalize_invoice(held.stripe_invoice_id)
    result = desk.publish_one(make_request([500]))
    assert result.state == "failed"
    assert result.error is not None and "subtotal is 507, not 500" in result.error


# -- keys -------------------------------------------------------------------------


def keys(desk: Desk, operation: str) -> list[str]:
    rows = desk.journal.attempts("default", "inv-0001")
    return [row["idempotency_key"] for row in rows if row["operation"] == operation]


def test_no_answer_keeps_the_key(desk: Desk, make_request: Make) -> None:
    desk.sandbox.faults.add("drop_after", method="POST", path="/v1/invoices$")
    assert desk.publish_one(make_request([500])).state == "published"
    first, second = keys(desk, "create")
    assert first == second
    assert [
        r.replayed for r in desk.sandbox.requests() if r.path == "/v1/invoices"
    ] == [
        False,
        False,
        True,
    ]
    assert len(desk.invoices()) == 1


@pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout", "conflict"])
def test_busy_keeps_the_key_and_waits(
    desk: Desk, make_request: Make, kind: Any
) -> None:
    waits: list[float] = []
    retry = replace(PATIENT.retry, sleep=waits.append)
    desk.sandbox.faults.add(kind, path="add_lines", times=2)
    result = desk.publish_one(make_request([500]), policy=replace(PATIENT, retry=retry))
    assert (result.state, result.attempt) == ("published", 1)
    assert len(set(keys(desk, "add_lines"))) == 1
    assert len(keys(desk, "add_lines")) == 3
    # 0.5 s, then twice that, each with up to a second of jitter
    assert 0.5 <= waits[0] <= 1.5 and 1.0 <= waits[1] <= 2.0 and len(waits) == 2


def test_a_stored_500_gets_new_keys(desk: Desk, make_request: Make) -> None:
    desk.sandbox.faults.add("error_before", method="POST", path="add_lines")
    failed = desk.publish_one(make_request([500]), policy=BARE)
    assert failed.state == "failed"
    assert failed.error is not None and failed.error.startswith("http_500")
    again = desk.publish_one(make_request([500]), policy=BARE)
    assert (again.state, again.attempt) == ("published", 2)
    assert len(set(keys(desk, "add_lines"))) == 2


def test_a_500_is_repaired_within_the_run(desk: Desk, make_request: Make) -> None:
    desk.sandbox.faults.add("error_after", method="POST", path="/v1/invoices$")
    result = desk.publish_one(make_request([500]))
    assert (result.state, result.attempt) == ("published", 2)
    assert len(desk.invoices()) == 1


def test_keys_older_than_23_hours_are_not_used_again(
    desk: Desk, make_request: Make
) -> None:
    die_at(desk, make_request([500]), "add_lines", "die_before")
    desk.sandbox.advance(timedelta(hours=22))
    desk.sandbox.faults.add("drop_before", path="add_lines")
    assert desk.publish_one(make_request([500]), policy=BARE).attempt == 1
    desk.sandbox.advance(timedelta(hours=2))
    assert desk.publish_one(make_request([500])).attempt == 2


def test_keys_fit_and_differ(desk: Desk, make_request: Make) -> None:
    long = "inv-" + "x" * 124
    desk.publish_one(make_request([500], invoice_id=long), environment="test")
    used = [r.idempotency_key for r in desk.sandbox.requests() if r.method == "POST"]
    assert len(used) == len(set(used)) == 3
    assert all(key is not None and len(key) <= 255 for key in used)


# -- many invoices ----------------------------------------------------------------


def test_one_failure_does_not_stop_the_others(desk: Desk) -> None:
    other = desk.customer("globex", payment_method="pm_card_visa")
    requests = [
        request_for(desk.acme, [100], invoice_id="inv-a"),
        request_for("cus_unknown", [200], invoice_id="inv-b"),
        request_for(other, [300], invoice_id="inv-c", subtotal_minor=301),
        request_for(other, [400], invoice_id="inv-d"),
    ]
    told: list[PublishResult] = []
    results = publish(
        requests,
        clients={"default": desk.client},
        journal=desk.journal,
        environment=ENVIRONMENT,
        clock=lambda: desk.sandbox.now,
        policy=PATIENT,
        on_result=told.append,
    )
    assert [(r.invoice_id, r.state) for r in results] == [
        ("inv-a", "published"),
        ("inv-b", "failed"),
        ("inv-c", "refused"),
        ("inv-d", "published"),
    ]
    assert results[1].error is not None
    assert "No such customer: 'cus_unknown'" in results[1].error
    assert sorted(t.invoice_id for t in told) == ["inv-a", "inv-b", "inv-c", "inv-d"]
    assert [row.state for row in desk.journal.rows()] == [
        "published",
        "failed",
        "refused",
        "published",
    ]


def test_a_bug_fails_one_invoice_only(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stripe.InvoiceService.create

    def stumble(self: Any, params: Any, options: Any) -> Any:
        if params["metadata"]["billing_invoice_id"] == "inv-a":
            raise KeyError("surprise sk_test_abcdef")
        return real(self, params, options)

    monkeypatch.setattr(stripe.InvoiceService, "create", stumble)
    first, second = desk.publish(
        request_for(desk.acme, [100], invoice_id="inv-a"),
        request_for(desk.acme, [100], invoice_id="inv-b"),
    )
    assert (first.state, second.state) == ("failed", "published")
    assert first.error is not None and first.error.startswith("internal: KeyError")
    assert "abcdef" not in first.error


def test_without_a_journal_nothing_is_sent(desk: Desk, make_request: Make) -> None:
    other = make_request([100], invoice_id="inv-b")
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("drop table publish_attempts")
    with pytest.raises(OperationalError):
        desk.publish(make_request([100], invoice_id="inv-a"), other)
    assert desk.sandbox.requests() == []


def test_a_refused_key_is_asked_once_per_account(desk: Desk) -> None:
    wrong = stripe.StripeClient(
        "sk_test_wrong", http_client=InProcessClient(desk.sandbox)
    )
    results = publish(
        [request_for(desk.acme, [100], invoice_id=f"inv-{n}") for n in range(3)],
        clients={"default": wrong},
        journal=desk.journal,
        environment=ENVIRONMENT,
        clock=lambda: desk.sandbox.now,
        policy=PATIENT,
    )
    assert [r.state for r in results] == ["failed"] * 3
    assert all(r.error and r.error.startswith("http_401") for r in results)
    assert len(desk.sandbox.requests()) == 1


def test_two_accounts_are_kept_apart(desk: Desk) -> None:
    emea = desk.sandbox.provision_customer("emea", "acme", name="Acme")
    results = publish(
        [
            request_for(desk.acme, [100]),
            request_for(emea, [200], account="emea", currency="eur"),
        ],
        clients={"default": desk.client, "emea": desk.sandbox.client("emea")},
        journal=desk.journal,
        environment=ENVIRONMENT,
        clock=lambda: desk.sandbox.now,
        policy=PATIENT,
    )
    assert [r.total_minor for r in results] == [100, 200]
    assert [i["total"] for i in desk.sandbox.objects("invoice", "emea")] == [200]
    assert [i["total"] for i in desk.invoices()] == [100]


# -- one writer per customer ------------------------------------------------------


def test_a_locked_customer_is_left_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'operations.sqlite'}")
    sandbox = Sandbox()
    customer = sandbox.provision_customer("default", "acme", name="Acme")
    mine, theirs = PublishJournal(engine), PublishJournal(engine)
    policy = PublishPolicy(lock_timeout=0.05)

    def attempt() -> PublishResult:
        [result] = publish(
            [request_for(customer, [100])],
            clients={"default": sandbox.client()},
            journal=mine,
            environment=ENVIRONMENT,
            clock=lambda: sandbox.now,
            policy=policy,
        )
        return result

    with theirs.lock("default", customer):
        blocked = attempt()
    assert blocked.state == "failed"
    assert blocked.error is not None and blocked.error.startswith("customer_locked")
    assert sandbox.requests() == []
    assert attempt().state == "published"


def test_the_lock_of_a_memory_journal_holds_between_threads(desk: Desk) -> None:
    refused: list[bool] = []

    def other() -> None:
        try:
            with desk.journal.lock("default", "cus_1", timeout=0.01):
                refused.append(False)
        except CustomerLocked:
            refused.append(True)

    with desk.journal.lock("default", "cus_1"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [True]
