"""Which request is which operation, and which of its parameters are implemented."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from stripe import params as P

from . import customers, invoices, lines, payments
from .context import Context, Handler, list_of, public
from .errors import ApiError, invalid
from .store import objects
from .validation import validate

_CURSORS = {"limit", "starting_after", "ending_before", "created"}


@dataclass(frozen=True)
class Route:
    """One operation. ``params_type`` is the SDK's type for it, ``implemented`` the
    parameters that mean something here; the rest is refused, not ignored."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    params_type: type
    implemented: frozenset[str]

    def check(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Typed parameters, or 400."""
        params = validate(self.params_type, raw)
        for name in params.keys() - self.implemented - {"expand"}:
            raise invalid(
                f"The sandbox does not implement {name} here (Stripe does).",
                code="sandbox_not_implemented",
                param=name,
            )
        return params


def list_events(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """GET /v1/events: the last 30 days, newest first."""
    oldest = ctx.now - 30 * 86_400
    conditions: list[Any] = [objects.c.created >= oldest]
    wanted = list(params.get("types", []))
    if len(wanted) > 20:
        raise ApiError(400, "types: at most 20 names", param="types")
    if "type" in params:
        wanted.append(params["type"])
    for name in ("starting_after", "ending_before"):
        if name in params:
            cursor = ctx.store.find("event", params[name])
            if cursor is None or cursor["created"] < oldest:
                raise ApiError(
                    400,
                    f"No such event: '{params[name]}'",
                    code="resource_missing",
                    param=name,
                )
    if wanted:
        conditions.append(objects.c.status.in_(wanted))
    found, more = ctx.store.page("event", params, conditions=tuple(conditions))
    return list_of("/v1/events", found, more)


def retrieve_event(
    ctx: Context, params: dict[str, Any], *, event: str
) -> dict[str, Any]:
    """GET /v1/events/{event}"""
    return public(ctx.store.get("event", event))


def retrieve_account(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """GET /v1/account"""
    return {
        "id": ctx.store.account_id,
        "object": "account",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "payouts_enabled": True,
        "type": "standard",
    }


def _route(
    method: str, template: str, handler: Handler, params_type: Any, *names: str
) -> Route:
    pattern = re.sub(r"{(\w+)}", r"(?P<\1>[\\w-]+)", template)
    return Route(
        method,
        re.compile(rf"/v1{pattern}\Z"),
        handler,
        params_type,
        frozenset(name for group in names for name in group.split()),
    )


_C = " ".join(_CURSORS)
_LINE_CURSORS = "limit starting_after ending_before"
_pi, _ch, _txn = "payment_intent", "charge", "balance_transaction"

ROUTES = (
    _route("GET", "/account", retrieve_account, P.AccountRetrieveCurrentParams),
    _route(
        "POST",
        "/customers",
        customers.create_customer,
        P.CustomerCreateParams,
        "name email phone description balance address metadata invoice_prefix"
        " next_invoice_sequence preferred_locales payment_method invoice_settings",
    ),
    _route(
        "GET",
        "/customers",
        customers.list_customers,
        P.CustomerListParams,
        _C + " email",
    ),
    _route(
        "GET",
        "/customers/{customer}",
        customers.retrieve_customer,
        P.CustomerRetrieveParams,
    ),
    _route(
        "POST",
        "/customers/{customer}",
        customers.update_customer,
        P.CustomerUpdateParams,
        "name email phone description balance address metadata"
        " next_invoice_sequence invoice_settings",
    ),
    _route(
        "GET",
        "/customers/{customer}/payment_methods",
        customers.list_payment_methods,
        P.CustomerPaymentMethodListParams,
        _LINE_CURSORS + " type",
    ),
    _route(
        "POST",
        "/payment_methods/{payment_method}/attach",
        customers.attach_payment_method,
        P.PaymentMethodAttachParams,
        "customer",
    ),
    _route(
        "GET",
        "/payment_methods/{payment_method}",
        customers.retrieve_payment_method,
        P.PaymentMethodRetrieveParams,
    ),
    _route(
        "POST",
        "/invoiceitems",
        lines.create_item,
        P.InvoiceItemCreateParams,
        "amount currency customer description invoice metadata period quantity"
        " quantity_decimal unit_amount_decimal",
    ),
    _route(
        "GET",
        "/invoiceitems",
        lines.list_items,
        P.InvoiceItemListParams,
        _C + " customer invoice pending",
    ),
    _route(
        "GET",
        "/invoiceitems/{invoiceitem}",
        lines.retrieve_item,
        P.InvoiceItemRetrieveParams,
    ),
    _route(
        "DELETE",
        "/invoiceitems/{invoiceitem}",
        lines.delete_item,
        P.InvoiceItemDeleteParams,
    ),
    _route(
        "POST",
        "/invoices",
        invoices.create_invoice,
        P.InvoiceCreateParams,
        "customer currency collection_method days_until_due due_date auto_advance"
        " description footer metadata pending_invoice_items_behavior"
        " default_payment_method",
    ),
    _route(
        "GET",
        "/invoices",
        invoices.list_invoices,
        P.InvoiceListParams,
        _C + " customer status collection_method",
    ),
    _route(
        "GET", "/invoices/{invoice}", invoices.retrieve_invoice, P.InvoiceRetrieveParams
    ),
    _route(
        "POST",
        "/invoices/{invoice}",
        invoices.update_invoice,
        P.InvoiceUpdateParams,
        "description footer metadata auto_advance default_payment_method",
    ),
    _route(
        "DELETE", "/invoices/{invoice}", invoices.delete_invoice, P.InvoiceDeleteParams
    ),
    _route(
        "GET",
        "/invoices/{invoice}/lines",
        lines.list_lines,
        P.InvoiceListLinesParams,
        _LINE_CURSORS,
    ),
    _route(
        "POST",
        "/invoices/{invoice}/add_lines",
        invoices.edit_lines("add"),
        P.InvoiceAddLinesParams,
        "lines invoice_metadata",
    ),
    _route(
        "POST",
        "/invoices/{invoice}/remove_lines",
        invoices.edit_lines("remove"),
        P.InvoiceRemoveLinesParams,
        "lines invoice_metadata",
    ),
    _route(
        "POST",
        "/invoices/{invoice}/update_lines",
        invoices.edit_lines("update"),
        P.InvoiceUpdateLinesParams,
        "lines invoice_metadata",
    ),
    _route(
        "POST",
        "/invoices/{invoice}/finalize",
        invoices.finalize_invoice,
        P.InvoiceFinalizeInvoiceParams,
        "auto_advance",
    ),
    _route(
        "POST",
        "/invoices/{invoice}/pay",
        invoices.pay_invoice,
        P.InvoicePayParams,
        "payment_method paid_out_of_band off_session",
    ),
    _route(
        "POST",
        "/invoices/{invoice}/send",
        invoices.send_invoice,
        P.InvoiceSendInvoiceParams,
    ),
    _route(
        "POST",
        "/invoices/{invoice}/void",
        invoices.void_invoice,
        P.InvoiceVoidInvoiceParams,
    ),
    _route(
        "POST",
        "/invoices/{invoice}/mark_uncollectible",
        invoices.mark_uncollectible,
        P.InvoiceMarkUncollectibleParams,
    ),
    _route(
        "GET",
        "/invoice_payments",
        payments.list_kind(
            "invoice_payment", "/v1/invoice_payments", {"invoice", "status"}, set()
        ),
        P.InvoicePaymentListParams,
        _C + " invoice payment status",
    ),
    _route(
        "GET",
        "/invoice_payments/{item}",
        payments.retrieve("invoice_payment", "item"),
        P.InvoicePaymentRetrieveParams,
    ),
    _route(
        "GET",
        "/payment_intents",
        payments.list_kind(_pi, "/v1/payment_intents", {"customer"}, set()),
        P.PaymentIntentListParams,
        _C + " customer",
    ),
    _route(
        "GET",
        "/payment_intents/{item}",
        payments.retrieve(_pi, "item"),
        P.PaymentIntentRetrieveParams,
    ),
    _route(
        "GET",
        "/charges",
        payments.list_kind(_ch, "/v1/charges", {"customer"}, {_pi}),
        P.ChargeListParams,
        _C + " customer payment_intent",
    ),
    _route(
        "GET",
        "/charges/{item}",
        payments.retrieve(_ch, "item"),
        P.ChargeRetrieveParams,
    ),
    _route(
        "GET",
        "/balance_transactions",
        payments.list_kind(
            _txn,
            "/v1/balance_transactions",
            set(),
            {"currency", "payout", "source", "type"},
        ),
        P.BalanceTransactionListParams,
        _C + " currency payout source type",
    ),
    _route(
        "GET",
        "/balance_transactions/{item}",
        payments.retrieve(_txn, "item"),
        P.BalanceTransactionRetrieveParams,
    ),
    _route(
        "GET",
        "/payouts",
        payments.list_kind("payout", "/v1/payouts", {"status"}, set()),
        P.PayoutListParams,
        _C + " status",
    ),
    _route(
        "GET",
        "/payouts/{item}",
        payments.retrieve("payout", "item"),
        P.PayoutRetrieveParams,
    ),
    _route("GET", "/events", list_events, P.EventListParams, _C + " type types"),
    _route("GET", "/events/{event}", retrieve_event, P.EventRetrieveParams),
)


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The operation and the ids in its path; 404 as Stripe says it."""
    for route in ROUTES:
        match = route.pattern.match(path)
        if match and route.method == method:
            return route, match.groupdict()
    raise ApiError(
        404,
        f"Unrecognized request URL ({method}: {path}).",
        executed=False,
    )


_EXPANDABLE = {
    "cus": "customer",
    "pi": "payment_intent",
    "ch": "charge",
    "txn": "balance_transaction",
    "pm": "payment_method",
    "po": "payout",
}


def expand(ctx: Context, item: Any, path: str) -> None:
    """Replace an id by its object, in place; ``data.x`` goes into a list."""
    head, _, rest = path.partition(".")
    if isinstance(item, list):
        for entry in item:
            expand(ctx, entry, path)
        return
    value = item.get(head) if isinstance(item, dict) else None
    if isinstance(value, str):
        kind = _EXPANDABLE.get(value.split("_")[0])
        if kind is None:
            raise ApiError(400, f"This property cannot be expanded ({head}).")
        item[head] = public(ctx.store.get(kind, value))
    elif isinstance(item, dict) and head not in item:
        raise ApiError(400, f"This property cannot be expanded ({head}).")
    if rest and item[head] is not None:
        expand(ctx, item[head], rest)
