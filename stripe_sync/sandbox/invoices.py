"""Invoices: drafts, finalization, voiding, and the amounts in between."""

from __future__ import annotations

from typing import Any

from ..currencies import MAXIMUM_CHARGE, minimum_charge
from . import lines, payments
from .context import DAY, HOUR, PRIVATE, Context, changed, list_of, private, public
from .errors import refused
from .store import make_id, payers
from .validation import merge_metadata

DESCRIPTION_LENGTH = 1_500
_PLAIN = ("description", "footer", "auto_advance", "default_payment_method")


def render(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any]:
    """The invoice as Stripe shows it, with its first lines only (fact 8)."""
    shown = public(invoice)
    shown["lines"] = lines.lines_page(ctx, invoice["id"], {"limit": lines.LINES_SHOWN})
    return shown


def due_at(ctx: Context, invoice: dict[str, Any]) -> int | None:
    """When the clock must next act on an invoice by itself."""
    moments: list[int | None] = []
    if invoice["status"] == "draft":
        moments = [invoice["automatically_finalizes_at"]]
    elif invoice["status"] == "open":
        notes = invoice.get(PRIVATE, {})
        if not notes.get("overdue"):
            moments.append(invoice["due_date"])
        if invoice["auto_advance"]:
            moments.append(invoice["next_payment_attempt"])
        moments.append(notes.get("pays_at"))
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None


def save(
    ctx: Context, invoice: dict[str, Any], old: dict[str, Any], *events: str
) -> dict[str, Any]:
    """Store a changed invoice and tell it: ``invoice.updated``, then ``events``."""
    ctx.store.save(invoice, due_at=due_at(ctx, invoice))
    shown = render(ctx, invoice)
    moved = changed(old, invoice)
    if moved:
        ctx.emit("invoice.updated", shown, previous=moved)
    for kind in events:
        ctx.emit(kind, shown)
    return shown


def _set_amounts(ctx: Context, invoice: dict[str, Any]) -> None:
    _, subtotal = lines.item_totals(ctx, invoice["id"])
    for name in ("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"):
        invoice[name] = subtotal
    invoice["amount_due"] = max(subtotal, 0)
    invoice["amount_remaining"] = invoice["amount_due"] - invoice["amount_paid"]


def _check_description(params: dict[str, Any]) -> None:
    if len(params.get("description", "")) > DESCRIPTION_LENGTH:
        raise refused(
            f"Invalid string: must be at most {DESCRIPTION_LENGTH} characters",
            param="description",
        )


def create_invoice(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """POST /v1/invoices"""
    if "customer" not in params:
        raise refused(
            "Missing required param: customer.",
            code="parameter_missing",
            param="customer",
        )
    customer = ctx.store.find("customer", params["customer"])
    if customer is None:
        raise refused(
            f"No such customer: '{params['customer']}'",
            code="resource_missing",
            param="customer",
        )
    _check_description(params)
    method = params.get("collection_method", "charge_automatically")
    _check_terms(params, method)
    invoice_id = ctx.store.new_ids("in")[0]
    auto_advance = params.get("auto_advance", False)
    invoice: dict[str, Any] = {
        "id": invoice_id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Meterhouse sandbox",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": auto_advance,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": ctx.now + HOUR if auto_advance else None,
        "billing_reason": "manual",
        "collection_method": method,
        "created": ctx.now,
        "currency": params.get("currency", "usd"),
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": params.get("default_payment_method"),
        "default_source": None,
        "default_tax_rates": [],
        "description": params.get("description"),
        "discounts": [],
        "due_date": params.get("due_date"),
        "effective_at": None,
        "ending_balance": None,
        "footer": params.get("footer"),
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": ctx.now,
        "period_start": ctx.now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": customer["balance"],
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": ctx.now,
    }
    private(invoice)["days_until_due"] = params.get("days_until_due")
    ctx.store.insert(invoice)
    if params.get("pending_invoice_items_behavior") == "include":
        _include_pending(ctx, invoice)
    _set_amounts(ctx, invoice)
    ctx.store.save(invoice, due_at=due_at(ctx, invoice))
    shown = render(ctx, invoice)
    ctx.emit("invoice.created", shown)
    return shown


def _check_terms(params: dict[str, Any], method: str) -> None:
    terms = [name for name in ("days_until_due", "due_date") if name in params]
    if method == "send_invoice" and len(terms) != 1:
        raise refused(
            "If invoice collection method is 'send_invoice', specify one of"
            " 'days_until_due' or 'due_date'.",
            param="days_until_due",
        )
    if method == "charge_automatically" and terms:
        raise refused(
            f"You can only specify {terms[0]} if collection_method is send_invoice.",
            param=terms[0],
        )


def _include_pending(ctx: Context, invoice: dict[str, Any]) -> None:
    pending = [
        item
        for item in ctx.store.all("invoiceitem", customer=invoice["customer"])
        if item["invoice"] is None and item["currency"] == invoice["currency"]
    ]
    lines.require_room(ctx, invoice["id"], len(pending))
    for item in pending:
        item["invoice"] = invoice["id"]
        ctx.store.save(item)


def retrieve_invoice(
    ctx: Context, params: dict[str, Any], *, invoice: str
) -> dict[str, Any]:
    """GET /v1/invoices/{invoice}; 404 once a draft was deleted."""
    return render(ctx, ctx.store.get("invoice", invoice))


def list_invoices(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """GET /v1/invoices"""
    filters = {name: params[name] for name in ("customer", "status") if name in params}
    method = params.get("collection_method")
    found, more = ctx.store.page(
        "invoice",
        params,
        filters=filters,
        json_filters={"collection_method": method} if method else {},
    )
    return list_of("/v1/invoices", [render(ctx, item) for item in found], more)


def update_invoice(
    ctx: Context, params: dict[str, Any], *, invoice: str
) -> dict[str, Any]:
    """POST /v1/invoices/{invoice}"""
    item = ctx.store.get("invoice", invoice)
    old = dict(item)
    if item["status"] != "draft" and params.keys() - {"metadata", "auto_advance"}:
        lines.require_draft(item)
    _check_description(params)
    for name in _PLAIN:
        if name in params:
            item[name] = params[name]
    if "auto_advance" in params and item["status"] == "draft":
        item["automatically_finalizes_at"] = (
            ctx.now + HOUR if params["auto_advance"] else None
        )
    item["metadata"] = merge_metadata(item["metadata"], params.get("metadata"))
    return save(ctx, item, old)


def delete_invoice(
    ctx: Context, params: dict[str, Any], *, invoice: str
) -> dict[str, Any]:
    """DELETE /v1/invoices/{invoice}: drafts only; their items go too (fact 17)."""
    item = ctx.store.get("invoice", invoice)
    if item["status"] != "draft":
        raise refused(
            "You can only delete draft invoices.", code="invoice_not_editable"
        )
    shown = render(ctx, item)
    for line in ctx.store.all("invoiceitem", invoice=invoice):
        ctx.store.remove(line["id"])
    ctx.store.remove(invoice)
    ctx.emit("invoice.deleted", shown)
    return {"id": invoice, "object": "invoice", "deleted": True}


def edit_lines(how: str) -> Any:
    """POST /v1/invoices/{invoice}/{add,remove,update}_lines"""
    edit = {
        "add": lines.add_lines,
        "remove": lines.remove_lines,
        "update": lines.update_lines,
    }[how]

    def handler(
        ctx: Context, params: dict[str, Any], *, invoice: str
    ) -> dict[str, Any]:
        item = ctx.store.get("invoice", invoice)
        old = dict(item)
        edit(ctx, item, params["lines"])
        item["metadata"] = merge_metadata(
            item["metadata"], params.get("invoice_metadata")
        )
        _set_amounts(ctx, item)
        return save(ctx, item, old)

    return handler


def finalize_invoice(
    ctx: Context, params: dict[str, Any], *, invoice: str
) -> dict[str, Any]:
    """POST /v1/invoices/{invoice}/finalize"""
    item = ctx.store.get("invoice", invoice)
    if item["status"] != "draft":
        raise refused(
            "This invoice is already finalized, you can't re-finalize a non-draft"
            " invoice.",
            code="invoice_not_editable",
        )
    return finalize(ctx, item, params.get("auto_advance", item["auto_advance"]))


def finalize(
    ctx: Context, invoice: dict[str, Any], auto_advance: bool
) -> dict[str, Any]:
    """Draft → open, or → paid at once when nothing is left to collect (fact 6)."""
    old = dict(invoice)
    _set_amounts(ctx, invoice)
    customer = ctx.store.get("customer", invoice["customer"])
    automatic = invoice["collection_method"] == "charge_automatically"
    _settle_balance(ctx, invoice, customer)
    if automatic and invoice["amount_due"] > MAXIMUM_CHARGE:
        raise refused(
            "The amount due is greater than the maximum amount allowed.",
            code="amount_too_large",
        )
    sequence = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] = sequence + 1
    ctx.store.save(customer)
    token = make_id("test", invoice["id"]).removeprefix("test_")
    base = f"https://invoice.sandbox.invalid/{ctx.store.account_id}/{token}"
    invoice.update(
        status="open",
        number=f"{customer['invoice_prefix']}-{sequence:04d}",
        auto_advance=auto_advance,
        automatically_finalizes_at=None,
        effective_at=ctx.now,
        hosted_invoice_url=base,
        invoice_pdf=f"{base}/pdf",
        status_transitions={**invoice["status_transitions"], "finalized_at": ctx.now},
    )
    if invoice["amount_due"] == 0:
        payments.mark_paid(ctx, invoice)
        return save(
            ctx,
            invoice,
            old,
            "invoice.finalized",
            "invoice.paid",
            "invoice.payment_succeeded",
        )
    payments.open_payment(ctx, invoice)
    if automatic:
        # When Stripe charges after an explicit finalize is not documented (fact 14);
        # an hour later keeps callers from relying on "at once".
        invoice["next_payment_attempt"] = ctx.now + HOUR if auto_advance else None
    else:
        _set_terms(ctx, invoice)
    return save(ctx, invoice, old, "invoice.finalized")


def _settle_balance(
    ctx: Context, invoice: dict[str, Any], customer: dict[str, Any]
) -> None:
    start = customer["balance"]
    due = invoice["total"] + start
    if due <= 0 or due < minimum_charge(invoice["currency"]):
        end, due = due, 0
    else:
        end = 0
    invoice.update(
        starting_balance=start,
        ending_balance=end,
        amount_due=due,
        amount_remaining=due,
    )
    if end != start:
        customer["balance"] = end
        ctx.store.save(customer)
        ctx.emit("customer.updated", public(customer), previous={"balance": start})


def _set_terms(ctx: Context, invoice: dict[str, Any]) -> None:
    notes = private(invoice)
    if invoice["due_date"] is None:
        invoice["due_date"] = ctx.now + notes["days_until_due"] * DAY
    row = ctx.store.connection.execute(
        payers.select().where(
            payers.c.account_id == ctx.store.account_id,
            payers.c.customer == invoice["customer"],
        )
    ).one_or_none()
    if row is not None:
        notes["pays_at"] = ctx.now + row.pays_after_days * DAY


def pay_invoice(
    ctx: Context, params: dict[str, Any], *, invoice: str
) -> dict[str, Any]:
    """POST /v1/invoices/{invoice}/pay; 402 and the failure kept when declined."""
    item = ctx.store.get("invoice", invoice)
    old = dict(item)
    if item["status"] == "draft":
        finalize(ctx, item, item["auto_advance"])
        old = dict(item)
        if item["status"] == "paid":
            return render(ctx, item)
    if item["status"] not in ("open", "uncollectible"):
        raise refused(f"Invoice is {item['status']}", code="invoice_not_payable")
    if params.get("paid_out_of_band"):
        payments.pay_off_stripe(ctx, item)
    else:
        try:
            payments.charge(ctx, item, method_id=params.get("payment_method"))
        except payments.Declined as declined:
            save(ctx, item, old, "invoice.payment_failed")
            declined.error.keep = True
            raise declined.error from None
    return save(ctx, item, old, "invoice.paid", "invoice.payment_succeeded")


def send_invoice(
    ctx: Context, params: dict[str, Any], *, invoice: str
) -> dict[str, Any]:
    """POST /v1/invoices/{invoice}/send; a draft is finalized first."""
    item = ctx.store.get("invoice", invoice)
    if item["collection_method"] != "send_invoice":
        raise refused(
            "You can only manually send an invoice if its collection method is"
            " 'send_invoice'."
        )
    if item["status"] == "draft":
        finalize(ctx, item, item["auto_advance"])
    elif item["status"] not in ("open", "paid", "uncollectible"):
        raise refused(f"You cannot send a {item['status']} invoice.")
    shown = render(ctx, item)
    ctx.emit("invoice.sent", shown)
    return shown


def _end(status: str, event: str, allowed: tuple[str, ...], moment: str) -> Any:
    def handler(
        ctx: Context, params: dict[str, Any], *, invoice: str
    ) -> dict[str, Any]:
        item = ctx.store.get("invoice", invoice)
        if item["status"] not in allowed:
            raise refused(
                f"A {item['status']} invoice cannot become {status}.",
                code="invoice_not_editable",
            )
        old = dict(item)
        item["status"] = status
        item["auto_advance"] = False
        item["next_payment_attempt"] = None
        item["status_transitions"] = {**item["status_transitions"], moment: ctx.now}
        if status == "void":
            item["amount_remaining"] = 0
            payments.cancel_payment(ctx, item)
        return save(ctx, item, old, event)

    return handler


void_invoice = _end("void", "invoice.voided", ("open", "uncollectible"), "voided_at")
mark_uncollectible = _end(
    "uncollectible",
    "invoice.marked_uncollectible",
    ("open",),
    "marked_uncollectible_at",
)
