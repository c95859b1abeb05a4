"""Adopting, repairing and replacing what an earlier try left at Stripe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import stripe
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from stripe_desk import ENVIRONMENT, PATIENT, Desk, die_at

from stripe_sync.journal import PublishJournal
from stripe_sync.orphans import sweep_orphans
from stripe_sync.rows import InvoiceRequest

Make = Callable[..., InvoiceRequest]


def orphans(desk: Desk, **options: Any) -> list[Any]:
    return sweep_orphans(
        client=desk.client,
        account="default",
        journal=desk.journal,
        environment=ENVIRONMENT,
        clock=lambda: desk.sandbox.now,
        **options,
    )


# -- changed content --------------------------------------------------------------


def test_changed_draft_is_replaced(desk: Desk, make_request: Make) -> None:
    first = desk.publish_one(make_request([500], held=True))
    second = desk.publish_one(make_request([600]))
    assert (second.state, second.total_minor, second.generation) == (
        "published",
        600,
        2,
    )
    assert second.stripe_invoice_id != first.stripe_invoice_id
    assert [i["id"] for i in desk.invoices()] == [second.stripe_invoice_id]
    assert desk.items(None) == []


def test_changed_back_and_forth_within_a_day(desk: Desk, make_request: Make) -> None:
    for amount in (500, 600, 500):
        last = desk.publish_one(make_request([amount], held=True))
    assert (last.state, last.total_minor, last.generation) == ("held", 500, 3)
    assert desk.publish_one(make_request([500])).state == "published"
    assert [i["total"] for i in desk.invoices()] == [500]


def test_changed_after_publication_is_refused_loudly(
    desk: Desk, make_request: Make
) -> None:
    desk.publish_one(make_request([500]))
    result = desk.publish_one(make_request([600]))
    assert result.state == "refused"
    assert result.error is not None
    assert result.error.startswith("changed_after_publication")
    [row] = desk.journal.rows()
    assert (row.state, row.total_minor) == ("published", 500)
    assert row.last_error == result.error
    assert [i["total"] for i in desk.invoices()] == [500]
    # The content that was published is still fine.
    assert desk.publish_one(make_request([500])).state == "published"


def test_changed_while_the_answer_to_finalize_was_lost(
    desk: Desk, make_request: Make
) -> None:
    die_at(desk, make_request([500]), "finalize", "die_after")
    result = desk.publish_one(make_request([600]))
    assert result.state == "refused"
    assert result.error is not None
    assert result.error.startswith("changed_after_publication")
    [row] = desk.journal.rows()
    assert (row.state, row.total_minor) == ("published", 500)
    assert [i["total"] for i in desk.invoices()] == [500]


def test_changed_while_the_answer_to_create_was_lost(
    desk: Desk, make_request: Make
) -> None:
    die_at(desk, make_request([500]), "/v1/invoices$", "die_after")
    desk.sandbox.faults.clear()
    result = desk.publish_one(make_request([600]))
    assert (result.state, result.total_minor) == ("published", 600)
    assert [i["total"] for i in desk.invoices()] == [600]


# -- adoption ---------------------------------------------------------------------


def test_a_lost_journal_does_not_bill_twice(desk: Desk, make_request: Make) -> None:
    first = desk.publish_one(make_request([500]))
    desk.sandbox.advance(timedelta(days=20))
    desk.journal = PublishJournal(create_engine("sqlite://", poolclass=StaticPool))
    again = desk.publish_one(make_request([500]))
    assert again.state == "published"
    assert again.stripe_invoice_id == first.stripe_invoice_id
    assert len(desk.invoices()) == 1


def test_a_journal_restored_from_before_needs_search_all(
    desk: Desk, make_request: Make
) -> None:
    first = desk.publish_one(make_request([500]))
    desk.journal = restored_journal(desk, make_request)
    desk.sandbox.advance(timedelta(days=20))
    again = desk.publish_one(
        make_request([500]), policy=replace(PATIENT, search_all=True)
    )
    assert again.stripe_invoice_id == first.stripe_invoice_id
    assert len(desk.invoices()) == 2


def restored_journal(desk: Desk, make_request: Make) -> PublishJournal:
    """A journal from a backup: it knows the customer, but not the last invoice."""
    journal = PublishJournal(create_engine("sqlite://", poolclass=StaticPool))
    desk.journal, kept = journal, desk.journal
    desk.publish_one(make_request([100], invoice_id="inv-0000"))
    desk.journal = kept
    return journal


def test_a_replayed_draft_is_seen_as_it_is_now(desk: Desk, make_request: Make) -> None:
    journal = restored_journal(desk, make_request)
    first = desk.publish_one(make_request([500]))
    desk.sandbox.advance(timedelta(hours=2))
    desk.journal = journal
    again = desk.publish_one(make_request([500]))
    assert (again.state, again.stripe_status) == ("published", "paid")
    assert again.stripe_invoice_id == first.stripe_invoice_id


def test_a_replayed_draft_that_is_gone_costs_one_more_run(
    desk: Desk, make_request: Make
) -> None:
    journal = restored_journal(desk, make_request)
    first = desk.publish_one(make_request([500], held=True))
    assert first.stripe_invoice_id is not None
    desk.client.v1.invoices.delete(first.stripe_invoice_id)
    desk.journal = journal
    failed = desk.publish_one(make_request([500]))
    assert failed.error is not None and failed.error.startswith("draft_deleted")
    assert desk.publish_one(make_request([500])).state == "published"
    assert sorted(i["total"] for i in desk.invoices()) == [100, 500]


def test_a_draft_deleted_by_hand_is_made_again(desk: Desk, make_request: Make) -> None:
    held = desk.publish_one(make_request([500], held=True))
    assert held.stripe_invoice_id is not None
    desk.client.v1.invoices.delete(held.stripe_invoice_id)
    result = desk.publish_one(make_request([500]))
    assert (result.state, result.generation) == ("published", 2)
    assert result.stripe_invoice_id != held.stripe_invoice_id
    assert [i["total"] for i in desk.invoices()] == [500]


def test_of_several_drafts_the_oldest_stays(desk: Desk, make_request: Make) -> None:
    held = desk.publish_one(make_request([500], held=True))
    [draft] = desk.invoices()
    for _ in range(2):
        desk.sandbox.advance(timedelta(minutes=1))
        desk.client.v1.invoices.create(
            {"customer": desk.acme, "metadata": draft["metadata"]}
        )
    result = desk.publish_one(
        make_request([500]), policy=replace(PATIENT, search_all=True)
    )
    assert result.stripe_invoice_id == held.stripe_invoice_id
    assert [i["id"] for i in desk.invoices()] == [held.stripe_invoice_id]


def test_several_finalized_invoices_raise_the_alarm(
    desk: Desk, make_request: Make
) -> None:
    desk.publish_one(make_request([500]))
    [invoice] = desk.invoices()
    twin = desk.client.v1.invoices.create(
        {"customer": desk.acme, "metadata": invoice["metadata"]}
    )
    desk.client.v1.invoices.finalize_invoice(twin.id)
    desk.journal = PublishJournal(create_engine("sqlite://", poolclass=StaticPool))
    result = desk.publish_one(make_request([500]))
    assert result.state == "failed"
    assert result.error is not None and result.error.startswith("several_finalized")
    # Nothing was voided or deleted on its own authority.
    assert [i["status"] for i in desk.invoices()] == ["open", "paid"]


def test_other_peoples_invoices_are_not_adopted(desk: Desk, make_request: Make) -> None:
    for marks in (
        {},
        {"billing_env": "production", "billing_invoice_id": "inv-0001"},
        {"billing_env": ENVIRONMENT, "billing_invoice_id": "inv-0002"},
    ):
        desk.client.v1.invoices.create({"customer": desk.acme, "metadata": marks})
    assert desk.publish_one(make_request([500])).state == "published"
    assert sorted(i["status"] for i in desk.invoices()) == [
        "draft",
        "draft",
        "draft",
        "open",
    ]


def test_adoption_pages_through_many_invoices(desk: Desk, make_request: Make) -> None:
    die_at(desk, make_request([500]), "add_lines", "die_before")
    for _ in range(105):
        desk.client.v1.invoices.create({"customer": desk.acme})
    result = desk.publish_one(
        make_request([500]), policy=replace(PATIENT, search_all=True)
    )
    assert result.state == "published" and result.generation == 1
    assert len(desk.invoices()) == 106


# -- lines ------------------------------------------------------------------------


def half_filled(desk: Desk, request: InvoiceRequest) -> str:
    die_at(desk, request, "add_lines", "die_before")
    [draft] = desk.invoices()
    return str(draft["id"])


def own(request: InvoiceRequest, number: int, amount: int) -> dict[str, Any]:
    return {
        "amount": amount,
        "metadata": {
            "billing_env": ENVIRONMENT,
            "billing_invoice_id": request.invoice_id,
            "billing_line_id": f"line-{number:04d}",
        },
    }


def test_wrong_double_and_foreign_lines_are_put_right(
    desk: Desk, make_request: Make
) -> None:
    request = make_request([500, 300, 200])
    draft = half_filled(desk, request)
    foreign = desk.client.v1.invoice_items.create(
        {"customer": desk.acme, "amount": 999, "currency": "usd"}
    )
    desk.client.v1.invoices.add_lines(
        draft,
        {
            "lines": [
                own(request, 1, 500),  # right
                own(request, 1, 500),  # double
                own(request, 2, 301),  # wrong amount
                own(request, 9, 40),  # unknown
                {"invoice_item": foreign.id},  # somebody else's
            ]
        },
    )
    result = desk.publish_one(request)
    assert (result.state, result.total_minor) == ("published", 1000)
    amounts = {
        item["metadata"]["billing_line_id"]: item["amount"]
        for item in desk.items(draft)
    }
    assert amounts == {"line-0001": 500, "line-0002": 300, "line-0003": 200}
    [unharmed] = desk.items(None)
    assert (unharmed["id"], unharmed["amount"]) == (foreign.id, 999)


def test_a_draft_that_stays_different_is_not_finalized(
    desk: Desk, make_request: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swallow(self: Any, invoice: str, params: Any, options: Any) -> Any:
        return self.retrieve(invoice)  # Stripe "accepts" the lines and drops them

    with monkeypatch.context() as patch:
        patch.setattr(stripe.InvoiceService, "add_lines", swallow)
        result = desk.publish_one(make_request([500, 300]))
    assert result.state == "failed"
    assert result.error is not None and result.error.startswith("draft_differs")
    assert "lines is 0, not 2" in result.error
    [draft] = desk.invoices()
    assert draft["status"] == "draft"
    assert desk.publish_one(make_request([500, 300])).state == "published"


def test_zero_decimal_currency_is_not_multiplied(
    desk: Desk, make_request: Make
) -> None:
    request = make_request([1500, 250], currency="jpy")
    result = desk.publish_one(request)
    [invoice] = desk.invoices()
    assert (invoice["currency"], invoice["total"], result.total_minor) == (
        "jpy",
        1750,
        1750,
    )


def test_stripe_is_only_ever_told_integers(desk: Desk, make_request: Make) -> None:
    bodies: list[str] = []
    real = desk.sandbox.handle

    def watch(method: str, path: str, query: str, headers: Any, body: Any) -> Any:
        bodies.append(str(body))
        return real(method, path, query, headers, body)

    desk.sandbox.handle = watch  # type: ignore[method-assign]
    desk.publish_one(make_request([500, -20]))
    sent = [pair for body in bodies for pair in parse_qsl(body)]
    amounts = [value for key, value in sent if key.endswith("[amount]")]
    assert amounts == ["500", "-20"]
    assert not [key for key, _ in sent if "quantity" in key or "unit_amount" in key]


# -- void, reopen, environment ----------------------------------------------------


def test_a_voided_invoice_stays_void_until_reopened(
    desk: Desk, make_request: Make
) -> None:
    die_at(desk, make_request([500]), "finalize", "die_after")
    [first] = desk.invoices()
    desk.client.v1.invoices.void_invoice(first["id"])
    refused = desk.publish_one(make_request([500]))
    assert refused.state == "refused"
    assert refused.error is not None and refused.error.startswith("void_at_stripe")
    desk.journal.reopen("default", "inv-0001", reason="typo", now=desk.sandbox.now)
    result = desk.publish_one(make_request([500]))
    assert (result.state, result.generation) == ("published", 2)
    assert sorted(i["status"] for i in desk.invoices()) == ["open", "void"]


def test_the_journal_of_one_environment_serves_no_other(
    desk: Desk, make_request: Make
) -> None:
    desk.publish_one(make_request([500]))
    elsewhere = replace(make_request([500]), metadata={})
    result = desk.publish_one(elsewhere, environment="production")
    assert result.state == "refused"
    assert result.error is not None and result.error.startswith("environment_differs")
    assert desk.journal.rows()[0].state == "published"


# -- orphans ----------------------------------------------------------------------


def test_orphans_are_reported_and_only_ours_deleted(
    desk: Desk, make_request: Make
) -> None:
    desk.publish_one(make_request([500], held=True))
    [standing] = desk.invoices()
    ours = {"billing_env": ENVIRONMENT, "billing_invoice_id": "inv-gone"}
    twin = {**standing["metadata"]}
    v1 = desk.client.v1
    forgotten = v1.invoices.create({"customer": desk.acme, "metadata": ours}).id
    double = v1.invoices.create({"customer": desk.acme, "metadata": twin}).id
    item = {"customer": desk.acme, "amount": 5, "currency": "usd"}
    leftover = v1.invoice_items.create({**item, "metadata": ours}).id
    foreign_item = v1.invoice_items.create(item).id
    foreign_draft = v1.invoices.create(
        {"customer": desk.acme, "metadata": {**ours, "billing_env": "production"}}
    ).id
    assert orphans(desk) == []  # young ones may still be at work
    desk.sandbox.advance(timedelta(hours=25))
    found = orphans(desk)
    assert {(o.object_id, o.reason.split(":")[0]) for o in found} == {
        (forgotten, "no_journal_row"),
        (double, "another_stands"),
        (leftover, "pending_item"),
    }
    assert not any(o.deleted for o in found)
    assert all(o.deleted for o in orphans(desk, delete=True))
    assert {i["id"] for i in desk.invoices()} == {standing["id"], foreign_draft}
    assert [i["id"] for i in desk.items(None)] == [foreign_item]
    assert orphans(desk) == []


def test_leftover_items_of_a_deleted_draft_are_removed(
    desk: Desk, make_request: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should Stripe free a deleted draft's items instead of deleting them."""
    first = make_request([500, 300], held=True)
    desk.publish_one(first)
    [draft] = desk.invoices()
    real = stripe.InvoiceService.delete

    def free_items(self: Any, invoice: str) -> Any:
        items = [
            {"id": entry.id, "behavior": "unassign"}
            for entry in desk.client.v1.invoices.line_items.list(invoice).data
        ]
        desk.client.v1.invoices.remove_lines(invoice, {"lines": items})
        return real(self, invoice)

    monkeypatch.setattr(stripe.InvoiceService, "delete", free_items)
    foreign = desk.client.v1.invoice_items.create(
        {"customer": desk.acme, "amount": 9, "currency": "usd"}
    )
    result = desk.publish_one(make_request([600]))
    assert (result.state, result.total_minor) == ("published", 600)
    assert [i["id"] for i in desk.items(None)] == [foreign.id]
    assert draft["id"] not in {i["id"] for i in desk.invoices()}
