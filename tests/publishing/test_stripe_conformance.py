"""What the publisher assumes about Stripe, asked of the sandbox and of Stripe.

Runs against the sandbox always, and against a real Stripe *test* account when
``STRIPE_TEST_KEY`` is set. A fact that fails only there is a sandbox that lies.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sync.clients import build_clients
from stripe_sync.sandbox import Sandbox

KEY = os.environ.get("STRIPE_TEST_KEY", "")


@pytest.fixture(
    params=[
        "sandbox",
        pytest.param(
            "stripe",
            marks=pytest.mark.skipif(
                not KEY, reason="STRIPE_TEST_KEY is not set: no real Stripe to ask"
            ),
        ),
    ]
)
def v1(request: pytest.FixtureRequest) -> Any:
    if request.param == "sandbox":
        return Sandbox().client().v1
    accounts = {"default": {"key_env": "STRIPE_TEST_KEY"}}
    return build_clients(accounts, mode="test")["default"].v1


@pytest.fixture
def customer(v1: Any) -> str:
    return str(
        v1.customers.create({"name": "Conformance", "email": "c@example.com"}).id
    )


@pytest.fixture
def draft(v1: Any, customer: str) -> Callable[..., Any]:
    def make(**params: Any) -> Any:
        return v1.invoices.create({"customer": customer, "currency": "usd", **params})

    return make


def key() -> dict[str, str]:
    return {"idempotency_key": f"conformance-{uuid.uuid4()}"}


def refusal(call: Callable[[], Any]) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as caught:
        call()
    return caught.value


def lines(*amounts: int) -> dict[str, Any]:
    return {
        "lines": [
            {"amount": amount, "metadata": {"billing_line_id": f"line-{n}"}}
            for n, amount in enumerate(amounts)
        ]
    }


# -- money and lines --------------------------------------------------------------


def test_amount_and_quantity_do_not_combine(v1: Any, customer: str) -> None:
    """Fact 3 [assumed]."""
    item = {"customer": customer, "currency": "usd", "amount": 100, "quantity": 2}
    assert refusal(lambda: v1.invoice_items.create(item)).http_status == 400


def test_a_line_shows_its_metadata_and_amount(v1: Any, draft: Any) -> None:
    invoice = draft()
    v1.invoices.add_lines(invoice.id, lines(100, 250))
    found = v1.invoices.line_items.list(invoice.id, {"limit": 100}).data
    assert {(e.metadata["billing_line_id"], e.amount) for e in found} == {
        ("line-0", 100),
        ("line-1", 250),
    }
    assert v1.invoices.retrieve(invoice.id).subtotal == 350


def test_an_invoice_shows_only_its_first_lines(v1: Any, draft: Any) -> None:
    """Fact 8: lines must be paged."""
    invoice = draft()
    v1.invoices.add_lines(invoice.id, lines(*range(1, 31)))
    shown = v1.invoices.retrieve(invoice.id)
    assert shown.lines.has_more and len(shown.lines.data) < 30
    paged = v1.invoices.line_items.list(invoice.id, {"limit": 7}).auto_paging_iter()
    assert sorted(entry.amount for entry in paged) == list(range(1, 31))


def test_add_lines_is_all_or_nothing(v1: Any, draft: Any) -> None:
    """Fact 18 [assumed]."""
    invoice = draft()
    bad = lines(100, 200)
    bad["lines"][1]["period"] = {"start": 2_000, "end": 1_000}
    assert refusal(lambda: v1.invoices.add_lines(invoice.id, bad)).http_status == 400
    assert v1.invoices.line_items.list(invoice.id).data == []


def test_a_period_may_be_a_second_but_not_backward(v1: Any, draft: Any) -> None:
    """Fact 13: both ends inclusive."""
    invoice = draft()
    one = lines(100)
    one["lines"][0]["period"] = {"start": 1_000, "end": 1_000}
    v1.invoices.add_lines(invoice.id, one)
    [entry] = v1.invoices.line_items.list(invoice.id).data
    assert (entry.period.start, entry.period.end) == (1_000, 1_000)


def test_no_more_than_250_items(v1: Any, draft: Any) -> None:
    """Fact 7."""
    invoice = draft()
    for _ in range(5):
        v1.invoices.add_lines(invoice.id, lines(*[1] * 50))
    assert refusal(lambda: v1.invoices.add_lines(invoice.id, lines(1))).http_status == (
        400
    )
    assert v1.invoices.retrieve(invoice.id).subtotal == 250


@pytest.mark.parametrize(
    ("metadata", "fits"),
    [
        ({f"k{n}": "v" for n in range(50)}, True),
        ({f"k{n}": "v" for n in range(51)}, False),
        ({"k" * 40: "v"}, True),
        ({"k" * 41: "v"}, False),
        ({"k": "v" * 500}, True),
        ({"k": "v" * 501}, False),
    ],
)
def test_metadata_limits(
    v1: Any, draft: Any, metadata: dict[str, str], fits: bool
) -> None:
    """Fact 10."""
    if fits:
        made = draft(metadata=metadata)
        assert v1.invoices.retrieve(made.id).metadata.to_dict() == metadata
    else:
        assert refusal(lambda: draft(metadata=metadata)).http_status == 400


def test_an_empty_value_unsets_metadata(v1: Any, draft: Any) -> None:
    made = draft(metadata={"a": "1", "b": "2"})
    changed = v1.invoices.update(made.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}


def test_pending_items_are_left_out_unless_included(
    v1: Any, draft: Any, customer: str
) -> None:
    """Fact 14."""
    item = {"customer": customer, "currency": "usd", "amount": 700}
    pending = v1.invoice_items.create(item)
    assert draft().subtotal == 0
    found = v1.invoice_items.list({"customer": customer, "pending": True}).data
    assert [entry.id for entry in found] == [pending.id]
    assert draft(pending_invoice_items_behavior="include").subtotal == 700


def test_unknown_parameters_and_wrong_types(v1: Any, draft: Any) -> None:
    assert refusal(lambda: draft(unit_amount=5)).code == "parameter_unknown"
    wrong = refusal(lambda: draft(days_until_due="soon"))
    assert (wrong.http_status, wrong.code) == (400, "parameter_invalid_integer")
    assert refusal(lambda: draft(collection_method="cash")).http_status == 400
    assert refusal(lambda: draft(auto_advance="perhaps")).http_status == 400


# -- life of an invoice -----------------------------------------------------------


def test_a_deleted_draft_takes_its_items_along(
    v1: Any, draft: Any, customer: str
) -> None:
    """Fact 17 [assumed]; the publisher cleans up if it is otherwise."""
    invoice = draft()
    v1.invoices.add_lines(invoice.id, lines(100))
    assert v1.invoices.delete(invoice.id).deleted
    gone = refusal(lambda: v1.invoices.retrieve(invoice.id))
    assert (gone.http_status, gone.code) == (404, "resource_missing")
    assert v1.invoice_items.list({"customer": customer}).data == []


def test_only_drafts_are_edited_deleted_finalized(v1: Any, draft: Any) -> None:
    """Fact 16."""
    invoice = draft(collection_method="send_invoice", days_until_due=30)
    v1.invoices.add_lines(invoice.id, lines(5_000))
    opened = v1.invoices.finalize_invoice(invoice.id)
    assert (opened.status, opened.amount_due) == ("open", 5_000)
    assert opened.number and opened.hosted_invoice_url
    for call in (
        lambda: v1.invoices.finalize_invoice(invoice.id),
        lambda: v1.invoices.delete(invoice.id),
        lambda: v1.invoices.add_lines(invoice.id, lines(1)),
        lambda: v1.invoices.update(invoice.id, {"description": "late"}),
    ):
        assert refusal(call).http_status == 400
    assert v1.invoices.void_invoice(invoice.id).status == "void"
    assert refusal(lambda: v1.invoices.pay(invoice.id)).http_status == 400


def test_terms_go_with_send_invoice_only(draft: Any) -> None:
    """Fact 15."""
    assert refusal(lambda: draft(days_until_due=30)).http_status == 400
    assert refusal(lambda: draft(collection_method="send_invoice")).http_status == 400


def test_below_the_minimum_is_paid_through_the_balance(
    v1: Any, draft: Any, customer: str
) -> None:
    """Fact 6: ``paid`` with nothing paid."""
    invoice = draft()
    v1.invoices.add_lines(invoice.id, lines(49))
    paid = v1.invoices.finalize_invoice(invoice.id)
    assert (paid.status, paid.total, paid.amount_due, paid.amount_paid) == (
        "paid",
        49,
        0,
        0,
    )
    assert v1.customers.retrieve(customer).balance == 49


def test_auto_advance_is_off_unless_asked(draft: Any) -> None:
    """Fact 14."""
    assert draft().auto_advance is False
    advancing = draft(auto_advance=True)
    assert advancing.automatically_finalizes_at - advancing.created == 3_600


# -- idempotency ------------------------------------------------------------------


def test_the_same_key_gives_the_same_answer(v1: Any, customer: str) -> None:
    """Fact 20."""
    params, options = {"customer": customer}, key()
    first = v1.invoices.create(params, options)
    again = v1.invoices.create(params, options)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert len(v1.invoices.list({"customer": customer}).data) == 1


def test_a_replay_shows_the_past(v1: Any, customer: str) -> None:
    """Why the publisher reads a replayed draft again."""
    params, options = {"customer": customer}, key()
    first = v1.invoices.create(params, options)
    v1.invoices.delete(first.id)
    assert v1.invoices.create(params, options).id == first.id
    assert refusal(lambda: v1.invoices.retrieve(first.id)).http_status == 404


def test_a_key_with_other_parameters_is_an_error(v1: Any, customer: str) -> None:
    options = key()
    v1.invoices.create({"customer": customer}, options)
    error = refusal(
        lambda: v1.invoices.create(
            {"customer": customer, "description": "other"}, options
        )
    )
    assert isinstance(error, stripe.IdempotencyError)
    assert error.http_status == 400


def test_failed_validation_is_not_stored(v1: Any, customer: str) -> None:
    options = key()
    refusal(lambda: v1.invoices.create({"customer": customer, "nonsense": 1}, options))
    assert v1.invoices.create({"customer": customer}, options).status == "draft"


def test_a_refusal_in_execution_is_stored(v1: Any, draft: Any) -> None:
    """Fact 20: 4xx included; hence *attempt* in the publisher's keys."""
    invoice, options = draft(), key()
    v1.invoices.add_lines(invoice.id, lines(5_000))
    v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})
    first = refusal(lambda: v1.invoices.finalize_invoice(invoice.id, {}, options))
    again = refusal(lambda: v1.invoices.finalize_invoice(invoice.id, {}, options))
    assert first.http_status == again.http_status == 400
    assert (again.headers or {}).get("Idempotent-Replayed") == "true"


# -- lists and events -------------------------------------------------------------


@pytest.fixture
def five(v1: Any, customer: str, draft: Any) -> list[str]:
    """Ids of five invoices, oldest first."""
    return [draft(metadata={"n": str(n)}).id for n in range(5)]


def ids(page: Any) -> list[str]:
    return [entry.id for entry in page.data]


def test_lists_are_newest_first_with_cursors(
    v1: Any, customer: str, five: list[str]
) -> None:
    newest = five[::-1]
    first = v1.invoices.list({"customer": customer, "limit": 2})
    assert (ids(first), first.has_more) == (newest[:2], True)
    second = v1.invoices.list(
        {"customer": customer, "limit": 2, "starting_after": newest[1]}
    )
    assert (ids(second), second.has_more) == (newest[2:4], True)
    last = v1.invoices.list(
        {"customer": customer, "limit": 2, "starting_after": newest[3]}
    )
    assert (ids(last), last.has_more) == (newest[4:], False)
    before = v1.invoices.list(
        {"customer": customer, "limit": 2, "ending_before": newest[4]}
    )
    # The page next to the cursor, itself newest first.
    assert (ids(before), before.has_more) == (newest[2:4], True)


def test_list_filters_and_limits(v1: Any, customer: str, five: list[str]) -> None:
    created = v1.invoices.retrieve(five[0]).created
    everything = {"customer": customer, "created": {"gte": created}}
    assert sorted(ids(v1.invoices.list(everything))) == sorted(five)
    nothing = {"customer": customer, "created": {"lt": created}}
    assert ids(v1.invoices.list(nothing)) == []
    assert ids(v1.invoices.list({"customer": customer, "status": "open"})) == []
    for limit in (0, 101):
        error = refusal(lambda limit=limit: v1.invoices.list({"limit": limit}))
        assert error.http_status == 400


def test_an_unknown_cursor_is_refused_by_name(v1: Any) -> None:
    """[assumed] how the loader learns that its cursor is gone."""
    error = refusal(
        lambda: v1.events.list({"ending_before": "evt_000000000000000000000000"})
    )
    assert isinstance(error, stripe.InvalidRequestError)
    assert error.http_status in (400, 404)
    assert error.code == "resource_missing"


def test_events_tell_version_and_key(v1: Any, customer: str) -> None:
    options = key()
    invoice = v1.invoices.create({"customer": customer}, options)
    v1.invoices.update(invoice.id, {"description": "changed"})
    wanted = {"types": ["invoice.created", "invoice.updated"], "limit": 20}
    mine = [
        event
        for event in v1.events.list(wanted).data
        if event.data.object["id"] == invoice.id
    ]
    by_type = {event.type: event for event in mine}
    assert (
        by_type["invoice.created"].request.idempotency_key
        == (options["idempotency_key"])
    )
    assert by_type["invoice.created"].api_version
    previous = by_type["invoice.updated"].data.previous_attributes
    assert previous["description"] is None


def test_a_declined_card_leaves_an_open_invoice(
    v1: Any, draft: Any, customer: str
) -> None:
    card = v1.payment_methods.attach(
        "pm_card_chargeCustomerFail", {"customer": customer}
    )
    invoice = draft(default_payment_method=card.id)
    v1.invoices.add_lines(invoice.id, lines(5_000))
    v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})
    error = refusal(lambda: v1.invoices.pay(invoice.id))
    assert (error.http_status, error.code) == (402, "card_declined")
    found = v1.invoices.retrieve(invoice.id)
    assert (found.status, found.attempted, found.amount_paid) == ("open", True, 0)
    [payment] = v1.invoice_payments.list({"invoice": invoice.id}).data
    assert payment.status == "open"
    charges = v1.charges.list({"payment_intent": payment.payment.payment_intent}).data
    assert [charge.status for charge in charges] == ["failed"]


def test_a_payment_leads_to_its_balance_transaction(
    v1: Any, draft: Any, customer: str
) -> None:
    """Fact 19: invoice → invoice_payment → payment_intent → charge → transaction."""
    card = v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    invoice = draft(default_payment_method=card.id)
    v1.invoices.add_lines(invoice.id, lines(5_000))
    assert v1.invoices.pay(invoice.id).status == "paid"
    [payment] = v1.invoice_payments.list({"invoice": invoice.id}).data
    assert (payment.status, payment.amount_paid) == ("paid", 5_000)
    intent = v1.payment_intents.retrieve(payment.payment.payment_intent)
    charge = v1.charges.retrieve(intent.latest_charge)
    assert (intent.status, charge.status, charge.amount) == (
        "succeeded",
        "succeeded",
        5_000,
    )
    booked = v1.balance_transactions.retrieve(charge.balance_transaction)
    assert (booked.amount, booked.net) == (5_000, 5_000 - booked.fee)
    assert booked.source == charge.id
