"""Customers and their payment methods."""

from __future__ import annotations

import hashlib
from typing import Any

from .context import Context, changed, list_of, private, public
from .errors import ApiError, missing, refused
from .validation import merge_metadata

# Stripe's test payment methods: how a charge on them ends. ``attach`` says whether
# attaching already fails, as it does for the plain declining cards.
TEST_CARDS: dict[str, dict[str, Any]] = {
    "pm_card_visa": {"brand": "visa", "last4": "4242"},
    "pm_card_mastercard": {"brand": "mastercard", "last4": "4444"},
    "pm_card_amex": {"brand": "amex", "last4": "8431"},
    "pm_card_chargeCustomerFail": {
        "brand": "visa",
        "last4": "0341",
        "decline": "generic_decline",
    },
    "pm_card_chargeDeclined": {
        "brand": "visa",
        "last4": "0002",
        "decline": "generic_decline",
        "attach": False,
    },
    "pm_card_chargeDeclinedInsufficientFunds": {
        "brand": "visa",
        "last4": "9995",
        "decline": "insufficient_funds",
        "attach": False,
    },
}

_PLAIN = ("name", "email", "phone", "description")


def card_declined(decline: str, **extra: Any) -> ApiError:
    """402 for a declined card."""
    texts = {"insufficient_funds": "Your card has insufficient funds."}
    return ApiError(
        402,
        texts.get(decline, "Your card was declined."),
        type="card_error",
        code="card_declined",
        decline_code=decline,
        **extra,
    )


def create_customer(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """POST /v1/customers"""
    customer_id = ctx.store.new_ids("cus")[0]
    digest = hashlib.sha256(customer_id.encode()).hexdigest()
    customer = {
        "id": customer_id,
        "object": "customer",
        "address": params.get("address"),
        "balance": params.get("balance", 0),
        "created": ctx.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": params.get("description"),
        "discount": None,
        "email": params.get("email"),
        "invoice_prefix": params.get("invoice_prefix", digest[:8].upper()),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "name": params.get("name"),
        "next_invoice_sequence": params.get("next_invoice_sequence", 1),
        "phone": params.get("phone"),
        "preferred_locales": params.get("preferred_locales", []),
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    ctx.store.insert(customer)
    if "payment_method" in params:
        method = attach(ctx, params["payment_method"], customer_id)
        wanted = params.get("invoice_settings", {}).get("default_payment_method")
        if wanted in (params["payment_method"], method["id"]):
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            ctx.store.save(customer)
    elif params.get("invoice_settings", {}).get("default_payment_method"):
        raise missing(
            "payment_method",
            params["invoice_settings"]["default_payment_method"],
            param="invoice_settings[default_payment_method]",
        )
    ctx.emit("customer.created", public(customer))
    return public(customer)


def retrieve_customer(
    ctx: Context, params: dict[str, Any], *, customer: str
) -> dict[str, Any]:
    """GET /v1/customers/{customer}"""
    return public(ctx.store.get("customer", customer))


def update_customer(
    ctx: Context, params: dict[str, Any], *, customer: str
) -> dict[str, Any]:
    """POST /v1/customers/{customer}"""
    item = ctx.store.get("customer", customer)
    old = {**item, "invoice_settings": dict(item["invoice_settings"])}
    for name in (*_PLAIN, "balance", "address", "next_invoice_sequence"):
        if name in params:
            item[name] = params[name]
    item["metadata"] = merge_metadata(item["metadata"], params.get("metadata"))
    default = params.get("invoice_settings", {}).get("default_payment_method")
    if default:
        method = ctx.store.find("payment_method", default)
        if method is None or method["customer"] != customer:
            raise refused(
                f"No such PaymentMethod: '{default}'; it must be attached first.",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
        item["invoice_settings"]["default_payment_method"] = default
    ctx.store.save(item)
    ctx.emit("customer.updated", public(item), previous=changed(old, item))
    return public(item)


def list_customers(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """GET /v1/customers"""
    filters = {"email": params["email"]} if "email" in params else {}
    found, more = ctx.store.page("customer", params, json_filters=filters)
    return list_of("/v1/customers", [public(item) for item in found], more)


def attach(
    ctx: Context, method_id: str, customer: str, *, unchecked: bool = False
) -> dict[str, Any]:
    """Give a customer a copy of a test card, or an own unattached method."""
    card = TEST_CARDS.get(method_id)
    if card is None:
        stored = ctx.store.get("payment_method", method_id)
        if stored["customer"] not in (None, customer):
            raise refused(
                "The payment method you provided has already been attached to a"
                " customer."
            )
        stored["customer"] = customer
        ctx.store.save(stored)
        return stored
    if not unchecked and not card.get("attach", True):
        raise card_declined(card["decline"])
    method: dict[str, Any] = {
        "id": ctx.store.new_ids("pm")[0],
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": None,
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "card": {
            "brand": card["brand"],
            "country": "US",
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": None,
            "funding": "credit",
            "last4": card["last4"],
        },
        "created": ctx.now,
        "customer": customer,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }
    private(method)["decline"] = card.get("decline")
    ctx.store.insert(method)
    ctx.emit("payment_method.attached", public(method))
    return method


def attach_payment_method(
    ctx: Context, params: dict[str, Any], *, payment_method: str
) -> dict[str, Any]:
    """POST /v1/payment_methods/{payment_method}/attach"""
    if "customer" not in params:
        raise refused("Missing required param: customer.", code="parameter_missing")
    ctx.store.get("customer", params["customer"], param="customer")
    return public(attach(ctx, payment_method, params["customer"]))


def retrieve_payment_method(
    ctx: Context, params: dict[str, Any], *, payment_method: str
) -> dict[str, Any]:
    """GET /v1/payment_methods/{payment_method}"""
    return public(ctx.store.get("payment_method", payment_method))


def list_payment_methods(
    ctx: Context, params: dict[str, Any], *, customer: str
) -> dict[str, Any]:
    """GET /v1/customers/{customer}/payment_methods"""
    ctx.store.get("customer", customer)
    filters = {"type": params["type"]} if "type" in params else {}
    found, more = ctx.store.page(
        "payment_method", params, filters={"customer": customer}, json_filters=filters
    )
    url = f"/v1/customers/{customer}/payment_methods"
    return list_of(url, [public(item) for item in found], more)
