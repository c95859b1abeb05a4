"""Money: payment intents, charges, balance transactions, payouts."""

from __future__ import annotations

from typing import Any

from .context import DAY, PRIVATE, Context, changed, list_of, private, public
from .customers import card_declined
from .errors import ApiError, refused

# 2.9 % + 30 in minor units, as in Stripe's US price list; only cards cost it.
_FEE_PER_MILLE, _FEE_FIXED = 29, 30
# Days until money of a charge may be paid out.
_SETTLES_AFTER = 2
# Stripe's default schedule for failed automatic charges: waits before each retry.
RETRY_AFTER_DAYS = (3, 5, 7)


class Declined(Exception):
    """An automatic charge failed; its traces are to be kept."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


def open_payment(ctx: Context, invoice: dict[str, Any]) -> None:
    """The payment intent and invoice payment that finalization brings along."""
    amount, currency = invoice["amount_due"], invoice["currency"]
    intent = {
        "id": ctx.store.new_ids("pi")[0],
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "confirmation_method": "automatic",
        "created": ctx.now,
        "currency": currency,
        "customer": invoice["customer"],
        "description": "Payment for Invoice",
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_types": ["card"],
        "payment_record": None,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "status": "requires_payment_method",
        "transfer_group": None,
    }
    payment = {
        "id": ctx.store.new_ids("inpay")[0],
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": amount,
        "created": ctx.now,
        "currency": currency,
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
    ctx.store.insert(intent, payment)
    ctx.emit("payment_intent.created", public(intent))


def _payment_of(ctx: Context, invoice: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    payment = ctx.store.all("invoice_payment", invoice=invoice["id"])[-1]
    intent = ctx.store.get("payment_intent", payment["payment"]["payment_intent"])
    return payment, intent


def mark_paid(ctx: Context, invoice: dict[str, Any]) -> None:
    """Set the fields of a paid invoice; the caller saves and tells."""
    invoice.update(
        status="paid",
        amount_remaining=0,
        next_payment_attempt=None,
        attempted=True,
        status_transitions={**invoice["status_transitions"], "paid_at": ctx.now},
    )


def charge(
    ctx: Context,
    invoice: dict[str, Any],
    *,
    method_id: str | None = None,
    kind: str = "card",
) -> None:
    """Collect the remaining amount.

    Raises `Declined` when the card refuses: the failed charge, the intent's error and
    the attempt count are already stored then.
    """
    method = None
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    if kind == "card":
        customer = ctx.store.get("customer", invoice["customer"])
        chosen = (
            method_id
            or invoice["default_payment_method"]
            or customer["invoice_settings"]["default_payment_method"]
        )
        if chosen is None:
            raise Declined(
                refused(
                    "This customer has no attached payment source or default payment"
                    " method.",
                    code="resource_missing",
                )
            )
        method = ctx.store.get("payment_method", chosen, param="payment_method")
    payment, intent = _payment_of(ctx, invoice)
    decline = method[PRIVATE]["decline"] if method else None
    record = _charge_record(ctx, invoice, intent, method, kind, decline)
    old_intent = dict(intent)
    intent["latest_charge"] = record["id"]
    if decline:
        error = card_declined(decline, charge=record["id"])
        intent["last_payment_error"] = error.body()["error"]
        ctx.store.insert(record)
        ctx.store.save(intent)
        ctx.emit("charge.failed", public(record))
        ctx.emit(
            "payment_intent.payment_failed",
            public(intent),
            previous=changed(old_intent, intent),
        )
        raise Declined(error)
    _book(ctx, record)
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        payment_method=method["id"] if method else None,
        last_payment_error=None,
    )
    payment.update(
        status="paid",
        amount_paid=payment["amount_requested"],
        status_transitions={**payment["status_transitions"], "paid_at": ctx.now},
    )
    invoice["amount_paid"] = invoice["amount_due"]
    mark_paid(ctx, invoice)
    ctx.store.insert(record)
    ctx.store.save(intent)
    ctx.store.save(payment)
    ctx.emit("charge.succeeded", public(record))
    ctx.emit(
        "payment_intent.succeeded",
        public(intent),
        previous=changed(old_intent, intent),
    )
    ctx.emit("invoice_payment.paid", public(payment))


def _charge_record(
    ctx: Context,
    invoice: dict[str, Any],
    intent: dict[str, Any],
    method: dict[str, Any] | None,
    kind: str,
    decline: str | None,
) -> dict[str, Any]:
    amount = invoice["amount_remaining"]
    card = {}
    if method:
        card = {name: method["card"][name] for name in ("brand", "last4")}
    return {
        "id": ctx.store.new_ids("ch")[0],
        "object": "charge",
        "amount": amount,
        "amount_captured": 0 if decline else amount,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {
            "address": None,
            "email": invoice["customer_email"],
            "name": invoice["customer_name"],
            "phone": None,
            "tax_id": None,
        },
        "captured": not decline,
        "created": ctx.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "description": "Payment for Invoice",
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": "card_declined" if decline else None,
        "failure_message": "Your card was declined." if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": None,
        "paid": not decline,
        "payment_intent": intent["id"],
        "payment_method": method["id"] if method else None,
        "payment_method_details": {"type": kind, kind: card},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "status": "failed" if decline else "succeeded",
        "transfer": None,
        "transfer_group": None,
    }


def _book(ctx: Context, record: dict[str, Any]) -> None:
    amount = record["amount"]
    # Half up on non-negative integers, without a float in sight.
    fee = (amount * _FEE_PER_MILLE + 500) // 1000 + _FEE_FIXED
    if record["payment_method_details"]["type"] != "card":
        fee = 0
    midnight = ctx.now - ctx.now % DAY
    transaction = _transaction(
        ctx,
        amount=amount,
        currency=record["currency"],
        fee=fee,
        kind="charge",
        source=record["id"],
        available_on=midnight + _SETTLES_AFTER * DAY,
        status="pending",
    )
    ctx.store.insert(transaction, due_at=transaction["available_on"])
    record["balance_transaction"] = transaction["id"]


def _transaction(
    ctx: Context,
    *,
    amount: int,
    currency: str,
    fee: int,
    kind: str,
    source: str,
    available_on: int,
    status: str,
) -> dict[str, Any]:
    detail = {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": ctx.store.new_ids("txn")[0],
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": ctx.now,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source,
        "status": status,
        "type": kind,
    }


def pay_off_stripe(ctx: Context, invoice: dict[str, Any]) -> None:
    """Money that reached the merchant by another road."""
    cancel_payment(ctx, invoice)
    invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    mark_paid(ctx, invoice)


def cancel_payment(ctx: Context, invoice: dict[str, Any]) -> None:
    """Close the open payment of an invoice that will not be collected here."""
    payment, intent = _payment_of(ctx, invoice)
    payment.update(
        status="canceled",
        status_transitions={**payment["status_transitions"], "canceled_at": ctx.now},
    )
    intent.update(status="canceled", canceled_at=ctx.now)
    ctx.store.save(payment)
    ctx.store.save(intent)
    ctx.emit("payment_intent.canceled", public(intent))


def pay_out(ctx: Context, currency: str) -> str | None:
    """One payout of everything that became available in a currency."""
    ready = [
        item
        for item in ctx.store.all("balance_transaction", status="pending")
        if item["currency"] == currency and item["available_on"] <= ctx.now
    ]
    if not ready:
        return None
    payout_id = ctx.store.new_ids("po")[0]
    total = sum(item["net"] for item in ready)
    for item in ready:
        item["status"] = "available"
        private(item)["payout"] = payout_id
        ctx.store.save(item)
    out = _transaction(
        ctx,
        amount=-total,
        currency=currency,
        fee=0,
        kind="payout",
        source=payout_id,
        available_on=ctx.now,
        status="available",
    )
    private(out)["payout"] = payout_id
    payout = {
        "id": payout_id,
        "object": "payout",
        "amount": total,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": ctx.now,
        "automatic": True,
        "balance_transaction": out["id"],
        "created": ctx.now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": None,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "reconciliation_status": "completed",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "paid",
        "type": "bank_account",
    }
    ctx.store.insert(out, payout)
    ctx.emit("payout.created", payout)
    ctx.emit("payout.paid", payout)
    return payout_id


def retrieve(kind: str, name: str) -> Any:
    """GET /v1/<collection>/{id} of a kind that is shown as stored."""

    def handler(ctx: Context, params: dict[str, Any], **ids: str) -> dict[str, Any]:
        return public(ctx.store.get(kind, ids[name]))

    return handler


def list_kind(kind: str, url: str, mirrored: set[str], fields: set[str]) -> Any:
    """GET /v1/<collection> with equality filters."""

    def handler(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
        filters = {name: params[name] for name in mirrored if name in params}
        plain = {name: params[name] for name in fields if name in params}
        payment = params.get("payment")
        if payment:
            wanted = payment["type"]
            plain["payment.type"] = wanted
            if wanted in payment:
                plain[f"payment.{wanted}"] = payment[wanted]
        if "payout" in plain:
            plain[f"{PRIVATE}.payout"] = plain.pop("payout")
        found, more = ctx.store.page(kind, params, filters=filters, json_filters=plain)
        return list_of(url, [public(item) for item in found], more)

    return handler
