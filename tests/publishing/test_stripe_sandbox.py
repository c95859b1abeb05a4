"""The sandbox itself: clock, payers, persistence, faults, shapes, HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
import uvicorn
from stripe_desk import START, Desk, request_for

from stripe_sync.sandbox import FAULT_KINDS, Sandbox, SimulatedDeath
from stripe_sync.sandbox.asgi import make_app
from stripe_sync.sandbox.routes import ROUTES
from stripe_sync.sandbox.validation import parse_form

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SENT = {"collection_method": "send_invoice", "days_until_due": 30}


def publish_one(desk: Desk, customer: str, amount: int, **changes: Any) -> str:
    result = desk.publish_one(request_for(customer, [amount], **changes))
    assert result.stripe_invoice_id is not None
    return result.stripe_invoice_id


def status(desk: Desk) -> list[str]:
    return [invoice["status"] for invoice in desk.invoices()]


# -- clock ------------------------------------------------------------------------


def test_the_clock_stands_still_and_never_runs_back(desk: Desk) -> None:
    assert desk.sandbox.now == START
    desk.client.v1.customers.list()
    assert desk.sandbox.now == START
    assert desk.sandbox.advance_to(START - DAY) == []
    assert desk.sandbox.now == START
    desk.sandbox.advance(2 * HOUR)
    assert desk.sandbox.now == START + 2 * HOUR


def test_advancing_drafts_finalize_after_an_hour(desk: Desk) -> None:
    draft = desk.client.v1.invoices.create(
        {"customer": desk.acme, "auto_advance": True}
    )
    desk.client.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 500}]})
    assert desk.sandbox.advance(timedelta(minutes=59)) == []
    assert desk.sandbox.advance(timedelta(minutes=1)) == [f"finalized {draft.id}"]
    assert status(desk) == ["open"]
    assert desk.sandbox.advance(HOUR) == [f"collected {draft.id}"]
    assert status(desk) == ["paid"]


def test_a_card_is_charged_an_hour_after_finalization(desk: Desk) -> None:
    invoice = publish_one(desk, desk.acme, 10_000)
    assert status(desk) == ["open"]
    assert desk.sandbox.advance(HOUR) == [f"collected {invoice}"]
    [charge] = desk.sandbox.objects("charge")
    [booked] = desk.sandbox.objects("balance_transaction")
    # 2.9 % of 100.00 and 30 cents
    assert (booked["amount"], booked["fee"], booked["net"]) == (10_000, 320, 9_680)
    assert charge["balance_transaction"] == booked["id"]
    assert booked["fee_details"][0]["amount"] == 320


def test_payouts_gather_what_became_available(desk: Desk) -> None:
    for number, amount in enumerate((10_000, 5_000)):
        publish_one(desk, desk.acme, amount, invoice_id=f"inv-{number}")
    desk.sandbox.advance(HOUR)
    assert desk.sandbox.objects("payout") == []
    desk.sandbox.advance(2 * DAY)
    [payout] = desk.sandbox.objects("payout")
    # 10000 − 320 and 5000 − 175
    assert (payout["amount"], payout["status"]) == (9_680 + 4_825, "paid")
    parts = desk.client.v1.balance_transactions.list({"payout": payout["id"]}).data
    assert sorted(part.net for part in parts) == [-14_505, 4_825, 9_680]
    assert {part.status for part in parts} == {"available"}


def test_a_declined_card_is_tried_four_times(desk: Desk) -> None:
    broke = desk.customer("broke", payment_method="pm_card_chargeDeclined")
    invoice = publish_one(desk, broke, 500)
    done = desk.sandbox.advance(30 * DAY)
    assert [line.split(":")[0] for line in done] == [
        f"payment failed {invoice} (attempt {n})" for n in (1, 2, 3, 4)
    ]
    moments = [e["created"] for e in desk.events("invoice.payment_failed")]
    days = [round((m - moments[0]) / 86_400) for m in moments]
    assert days == [0, 3, 8, 15]
    [found] = desk.invoices()
    assert (found["status"], found["attempt_count"]) == ("open", 4)
    assert found["next_payment_attempt"] is None
    assert [c["status"] for c in desk.sandbox.objects("charge")] == ["failed"] * 4
    assert desk.sandbox.objects("balance_transaction") == []


def test_a_new_card_ends_dunning(desk: Desk) -> None:
    broke = desk.customer("broke", payment_method="pm_card_chargeDeclined")
    publish_one(desk, broke, 500)
    desk.sandbox.advance(HOUR)
    desk.customer("broke", payment_method="pm_card_visa")
    desk.sandbox.advance(3 * DAY)
    assert status(desk) == ["paid"]


def test_a_customer_without_card_is_not_charged(desk: Desk) -> None:
    publish_one(desk, desk.customer("bare"), 500)
    desk.sandbox.advance(HOUR)
    assert status(desk) == ["open"]
    assert len(desk.events("invoice.payment_failed")) == 1


@pytest.mark.parametrize(
    ("pays_after", "expected"),
    [
        (10, ["invoice.paid"]),
        (30, ["invoice.paid"]),
        (45, ["invoice.overdue", "invoice.paid"]),
        (None, ["invoice.overdue"]),
    ],
)
def test_payers_of_sent_invoices(
    desk: Desk, pays_after: int | None, expected: list[str]
) -> None:
    slow = desk.customer("slow", pays_after_days=pays_after)
    publish_one(desk, slow, 500, **SENT)
    desk.sandbox.advance(60 * DAY)
    told = [
        e["type"]
        for e in desk.sandbox.objects("event")
        if e["type"] in ("invoice.overdue", "invoice.paid")
    ]
    assert told == expected
    assert status(desk) == ["open" if pays_after is None else "paid"]


def test_owed_and_credited_balances_enter_the_next_invoice(desk: Desk) -> None:
    publish_one(desk, desk.acme, 49, invoice_id="inv-1")  # too small: owed
    publish_one(desk, desk.acme, 100, invoice_id="inv-2")
    small, next_one = desk.invoices()
    assert (small["status"], small["amount_due"]) == ("paid", 0)
    assert (next_one["total"], next_one["starting_balance"]) == (100, 49)
    assert next_one["amount_due"] == 149
    desk.client.v1.customers.update(desk.acme, {"balance": -500})
    publish_one(desk, desk.acme, 300, invoice_id="inv-3")
    third = desk.invoices()[2]
    assert (third["status"], third["total"], third["amount_due"]) == ("paid", 300, 0)
    assert third["ending_balance"] == -200


# -- accounts and keys ------------------------------------------------------------


def test_keys_open_their_own_account_only(desk: Desk) -> None:
    other = desk.sandbox.client("emea")
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        other.v1.customers.retrieve(desk.acme)
    stranger = desk.sandbox.client(key="sk_test_stranger")
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.customers.list()


def test_restricted_keys_are_denied_their_routes(desk: Desk) -> None:
    key = desk.sandbox.api_key(
        restricted="reader", denied=["POST /v1/", "GET /v1/charges"]
    )
    reader = desk.sandbox.client(key=key)
    assert reader.v1.customers.retrieve(desk.acme).id == desk.acme
    with pytest.raises(stripe.PermissionError):
        reader.v1.charges.list()
    with pytest.raises(stripe.PermissionError):
        reader.v1.customers.create({"name": "x"})


def test_a_platform_acts_on_its_connected_accounts(desk: Desk) -> None:
    desk.sandbox.api_key("shop", platform="default")
    desk.sandbox.api_key("foreign")
    shop = desk.sandbox.account_id("shop")
    options = {"stripe_account": shop}
    made = desk.client.v1.customers.create({"name": "x"}, options)
    assert [c["id"] for c in desk.sandbox.objects("customer", "shop")] == [made.id]
    with pytest.raises(stripe.PermissionError):
        desk.client.v1.customers.list(
            options={"stripe_account": desk.sandbox.account_id("foreign")}
        )


def test_provisioning_is_repeatable(desk: Desk) -> None:
    assert desk.customer("acme", payment_method="pm_card_visa") == desk.acme
    assert len(desk.sandbox.objects("customer")) == 1
    assert len(desk.sandbox.objects("payment_method")) == 1
    with pytest.raises(ValueError, match="pm_card_chargeDeclined"):
        desk.customer("x", payment_method="pm_card_gold")


def test_declining_cards_cannot_be_attached_through_the_api(desk: Desk) -> None:
    with pytest.raises(stripe.CardError):
        desk.client.v1.payment_methods.attach(
            "pm_card_chargeDeclined", {"customer": desk.acme}
        )


def test_a_request_that_fails_half_way_leaves_nothing(desk: Desk) -> None:
    before = desk.sandbox.digest()
    with pytest.raises(stripe.CardError):
        desk.client.v1.customers.create(
            {"name": "x", "payment_method": "pm_card_chargeDeclined"}
        )
    assert desk.sandbox.digest() == before


# -- persistence and determinism --------------------------------------------------


def test_state_survives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "stripe_sandbox.sqlite"
    code = """
import sys
from datetime import timedelta
from stripe_sync.sandbox import Sandbox
s = Sandbox(sys.argv[1])
c = s.provision_customer("default", "acme", name="Acme", payment_method="pm_card_visa")
v1 = s.client().v1
i = v1.invoices.create({"customer": c}, {"idempotency_key": "once"})
v1.invoices.add_lines(i.id, {"lines": [{"amount": 500}]})
v1.invoices.finalize_invoice(i.id, {"auto_advance": True})
s.advance(timedelta(minutes=30))
print(i.id)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    invoice_id = done.stdout.strip()
    later = Sandbox(path, start=datetime(2020, 1, 1, tzinfo=UTC))
    assert later.now == datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    [invoice] = later.objects("invoice")
    assert (invoice["id"], invoice["status"]) == (invoice_id, "open")
    assert later.advance(timedelta(minutes=30)) == [f"collected {invoice_id}"]
    # The idempotency store survived as well.
    customer = later.objects("customer")[0]["id"]
    again = later.client().v1.invoices.create(
        {"customer": customer}, {"idempotency_key": "once"}
    )
    assert again.id == invoice_id


def test_two_objects_on_one_file_see_each_other(tmp_path: Path) -> None:
    one, two = Sandbox(tmp_path / "s.sqlite"), Sandbox(tmp_path / "s.sqlite")
    customer = one.provision_customer("default", "acme", name="Acme")
    assert two.client().v1.customers.retrieve(customer).name == "Acme"
    two.advance(DAY)
    assert one.now == two.now


def test_the_same_story_gives_the_same_state() -> None:
    def story(amount: int) -> str:
        desk = Desk()
        publish_one(desk, desk.acme, amount)
        desk.sandbox.advance(5 * DAY)
        return desk.sandbox.digest()

    assert story(500) == story(500) != story(501)


def test_no_key_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    sandbox = Sandbox(path)
    key = sandbox.api_key()
    with pytest.raises(stripe.AuthenticationError):
        sandbox.client(key="sk_live_pastedbymistake").v1.customers.list()
    sandbox.client().v1.customers.list()
    sandbox.close()
    data = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert key.encode() not in data
    assert b"pastedbymistake" not in data


# -- idempotency over time --------------------------------------------------------


def test_a_key_is_new_again_after_24_hours(desk: Desk) -> None:
    params, options = {"customer": desk.acme}, {"idempotency_key": "once"}
    create = desk.client.v1.invoices.create
    first = create(params, options)
    desk.sandbox.advance(24 * HOUR - timedelta(seconds=1))
    assert create(params, options).id == first.id
    desk.sandbox.advance(timedelta(seconds=1))
    assert create(params, options).id != first.id


# -- faults -----------------------------------------------------------------------

EXECUTED = {"error_after", "drop_after", "die_after"}
STORED = {"error_before": 500, "error_after": 500}


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_each_fault_does_what_it_says(desk: Desk, kind: Any) -> None:
    create = desk.client.v1.invoices.create
    params, options = {"customer": desk.acme}, {"idempotency_key": "once"}
    desk.sandbox.faults.add(kind, method="POST", path="/v1/invoices$", nth=2)
    create({"customer": desk.acme})  # the first match passes
    with pytest.raises((stripe.StripeError, SimulatedDeath)) as caught:
        create(params, options)
    assert len(desk.invoices()) == (2 if kind in EXECUTED else 1)
    statuses = {"rate_limit": 429, "lock_timeout": 429, "conflict": 409, **STORED}
    assert getattr(caught.value, "http_status", None) == statuses.get(kind)
    # The third match passes again: replayed if something was stored.
    if kind in STORED:
        with pytest.raises(stripe.APIError):
            create(params, options)
        assert desk.sandbox.requests()[-1].replayed
    else:
        create(params, options)
        assert desk.sandbox.requests()[-1].replayed == (kind in EXECUTED)
        assert len(desk.invoices()) == 2


def test_faults_are_spelled_right(desk: Desk) -> None:
    with pytest.raises(ValueError, match="drop_before"):
        desk.sandbox.faults.add("drop")  # type: ignore[arg-type]


def test_the_request_log_names_faults_and_keys(desk: Desk) -> None:
    desk.sandbox.faults.add("drop_before", path="customers")
    with pytest.raises(stripe.APIConnectionError):
        desk.client.v1.customers.create({"name": "x"}, {"idempotency_key": "k1"})
    [entry] = desk.sandbox.requests()
    assert (entry.method, entry.path) == ("POST", "/v1/customers")
    assert (entry.fault, entry.status) == ("drop_before", None)
    assert (entry.idempotency_key, entry.at) == ("k1", START)


# -- requests and shapes ----------------------------------------------------------


def test_forms_are_read_as_stripe_writes_them() -> None:
    assert parse_form("a[b][0][c]=1&a[b][1][c]=2&d=x&e[]=p&e[]=q&f=") == {
        "a": {"b": {"0": {"c": "1"}, "1": {"c": "2"}}},
        "d": "x",
        "e": {"0": "p", "1": "q"},
        "f": "",
    }


def test_every_implemented_parameter_exists_in_the_sdk() -> None:
    for route in ROUTES:
        known = set(route.params_type.__annotations__)
        assert route.implemented <= known | {"created"}, route.pattern.pattern
        if "created" in route.implemented:
            assert "created" in known, route.pattern.pattern


def test_what_is_not_implemented_is_refused_not_ignored(desk: Desk) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        desk.client.v1.invoices.create(
            {"customer": desk.acme, "automatic_tax": {"enabled": True}}
        )
    assert caught.value.code == "sandbox_not_implemented"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"lines": [{"amout": 5}]}, "parameter_unknown", "lines[0][amout]"),
        (
            {"lines": [{"amount": "5.0"}]},
            "parameter_invalid_integer",
            "lines[0][amount]",
        ),
        ({}, "parameter_missing", "lines"),
        (
            {"lines": [{"amount": 5, "period": {"start": 1}}]},
            "parameter_missing",
            "lines[0][period][end]",
        ),
        ({"lines": [{"description": ""}]}, "parameter_invalid_empty", None),
    ],
)
def test_nested_parameters_are_checked(
    desk: Desk, params: Any, code: str, param: str | None
) -> None:
    draft = desk.client.v1.invoices.create({"customer": desk.acme})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        desk.client.v1.invoices.add_lines(draft.id, params)
    assert caught.value.code == code
    if param:
        assert caught.value.param == param


def test_expanding_puts_the_object_in_place(desk: Desk) -> None:
    invoice = publish_one(desk, desk.acme, 500)
    desk.sandbox.advance(HOUR)
    found = desk.client.v1.charges.list(
        {"expand": ["data.balance_transaction", "data.payment_intent"]}
    ).data[0]
    assert found.balance_transaction.net == 500 - 45  # 14.5 → 15, and 30
    assert found.payment_intent.object == "payment_intent"
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        desk.client.v1.invoices.retrieve(invoice, {"expand": ["nonsense"]})


CLASSES: dict[str, Any] = {
    "invoice": stripe.Invoice,
    "invoiceitem": stripe.InvoiceItem,
    "invoice_payment": stripe.InvoicePayment,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "balance_transaction": stripe.BalanceTransaction,
    "payout": stripe.Payout,
    "customer": stripe.Customer,
    "payment_method": stripe.PaymentMethod,
    "event": stripe.Event,
}


@pytest.fixture(scope="module")
def busy() -> Desk:
    """A sandbox in which every kind of object exists."""
    desk = Desk()
    publish_one(desk, desk.acme, 500)
    desk.sandbox.advance(5 * DAY)
    return desk


@pytest.mark.parametrize("kind", CLASSES)
def test_objects_have_the_fields_the_sdk_declares(busy: Desk, kind: str) -> None:
    """No invented field, and none missing that the SDK calls mandatory."""
    hints = CLASSES[kind].__annotations__
    found = busy.sandbox.objects(kind)
    assert found
    for item in found:
        shown = set(item) | ({"lines"} if kind == "invoice" else set())
        assert shown <= set(hints), kind
        mandatory = {
            name
            for name, hint in hints.items()
            if "Optional" not in str(hint)
            and "NoneType" not in str(hint)
            and "ClassVar" not in str(hint)
        }
        assert mandatory <= shown, kind


def test_lines_have_the_fields_the_sdk_declares(busy: Desk) -> None:
    invoice = busy.invoices()[0]["id"]
    page = busy.client.v1.invoices.line_items.list(invoice).last_response
    [entry] = json.loads(page.body)["data"]  # type: ignore[union-attr]
    assert set(entry) <= set(stripe.InvoiceLineItem.__annotations__)


def test_every_event_type_is_known_to_the_sdk(busy: Desk) -> None:
    known = str(stripe.Event.__annotations__["type"])
    for event in busy.sandbox.objects("event"):
        assert f"'{event['type']}'" in known


# -- over HTTP --------------------------------------------------------------------


@pytest.fixture
def served() -> Iterator[tuple[Sandbox, stripe.StripeClient]]:
    sandbox = Sandbox()
    config = uvicorn.Config(
        make_app(sandbox),
        host="127.0.0.1",
        port=0,
        log_level="critical",
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    client = stripe.StripeClient(
        sandbox.api_key(),
        base_addresses={"api": f"http://127.0.0.1:{port}"},
        max_network_retries=0,
    )
    yield sandbox, client
    server.should_exit = True
    thread.join()


def test_the_sdk_speaks_to_it_over_http(
    served: tuple[Sandbox, stripe.StripeClient],
) -> None:
    sandbox, client = served
    made = client.v1.customers.create({"name": "Ümläut & Co", "metadata": {"a": "b=c"}})
    assert [c["name"] for c in sandbox.objects("customer")] == ["Ümläut & Co"]
    assert client.v1.customers.retrieve(made.id).metadata.to_dict() == {"a": "b=c"}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.retrieve("cus_none")
    assert caught.value.http_status == 404
    sandbox.faults.add("drop_after", path="customers")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({"name": "lost"})
    assert len(sandbox.objects("customer")) == 2
