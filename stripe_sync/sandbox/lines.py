"""Invoice items, and the lines an invoice shows for them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import func, select

from .context import Context, list_of, public
from .errors import missing, refused
from .store import objects
from .validation import merge_metadata

ITEMS_PER_INVOICE = 250
DESCRIPTION_LENGTH = 5_000
LINES_SHOWN = 10


def line_of(item: dict[str, Any]) -> dict[str, Any]:
    """The line item that an assigned invoice item appears as."""
    return {
        "id": "il_" + item["id"].removeprefix("ii_"),
        "object": "line_item",
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": item["discountable"],
        "discounts": [],
        "invoice": item["invoice"],
        "livemode": False,
        "metadata": item["metadata"],
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": item["period"],
        "pretax_credit_amounts": [],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subscription": None,
        "subtotal": item["amount"],
        "taxes": [],
    }


def _item_id(line_id: str) -> str:
    return "ii_" + line_id.removeprefix("il_")


def _amount(params: dict[str, Any]) -> int:
    given = [name for name in ("amount", "unit_amount_decimal") if name in params]
    quantities = [name for name in ("quantity", "quantity_decimal") if name in params]
    if len(given) != 1 or len(quantities) > 1:
        raise refused(
            "You must specify exactly one of amount and unit_amount_decimal, and at"
            " most one of quantity and quantity_decimal."
        )
    if given == ["amount"]:
        # Assumed (fact 3): amount and quantity do not go together.
        if quantities:
            raise refused(
                "You cannot pass quantity together with amount.", param=quantities[0]
            )
        return int(params["amount"])
    quantity = Decimal(params[quantities[0]]) if quantities else Decimal(1)
    if quantity < 0:
        raise refused("quantity must be non-negative.", param=quantities[0])
    exact = params["unit_amount_decimal"] * quantity
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _build(
    ctx: Context,
    item_id: str,
    params: dict[str, Any],
    *,
    customer: str,
    currency: str,
    invoice: str | None,
    path: str = "",
) -> dict[str, Any]:
    def name(field: str) -> str:
        return f"{path}[{field}]" if path else field

    description = params.get("description")
    if description is not None and len(description) > DESCRIPTION_LENGTH:
        raise refused(
            f"Invalid string: must be at most {DESCRIPTION_LENGTH} characters",
            param=name("description"),
        )
    period = params.get("period", {"start": ctx.now, "end": ctx.now})
    if period["end"] < period["start"]:
        raise refused(
            "The period end must be after or equal to its start.",
            param=name("period[end]"),
        )
    amount = _amount(params)
    unit = params.get("unit_amount_decimal", Decimal(amount))
    quantity = params.get("quantity_decimal", params.get("quantity", 1))
    return {
        "id": item_id,
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "date": ctx.now,
        "description": description,
        "discountable": amount >= 0,
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "net_amount": amount,
        "parent": None,
        "period": {"start": period["start"], "end": period["end"]},
        "pricing": {
            "price_details": None,
            "type": "price_details",
            "unit_amount_decimal": str(unit),
        },
        "proration": False,
        "quantity": int(quantity),
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": None,
    }


def item_totals(ctx: Context, invoice_id: str) -> tuple[int, int]:
    """(number of items, sum of their amounts) on an invoice."""
    row = ctx.store.connection.execute(
        select(
            func.count(),
            func.coalesce(
                func.sum(func.json_extract(objects.c.payload, "$.amount")), 0
            ),
        ).where(
            objects.c.account_id == ctx.store.account_id,
            objects.c.object == "invoiceitem",
            objects.c.invoice == invoice_id,
        )
    ).one()
    return int(row[0]), int(row[1])


def require_draft(invoice: dict[str, Any]) -> None:
    """400 unless the invoice may still be edited."""
    if invoice["status"] != "draft":
        raise refused(
            "This invoice is no longer editable: only drafts are.",
            code="invoice_not_editable",
        )


def require_room(ctx: Context, invoice_id: str, more: int) -> None:
    """400 when an invoice would carry more than 250 items (fact 7)."""
    present, _ = item_totals(ctx, invoice_id)
    if present + more > ITEMS_PER_INVOICE:
        raise refused(
            f"Invoices can have a maximum of {ITEMS_PER_INVOICE} invoice items."
        )


def create_item(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """POST /v1/invoiceitems"""
    invoice = None
    customer = params.get("customer")
    if "invoice" in params:
        invoice = ctx.store.get("invoice", params["invoice"], param="invoice")
        require_draft(invoice)
        require_room(ctx, invoice["id"], 1)
        if customer not in (None, invoice["customer"]):
            raise refused("The invoice belongs to another customer.", param="invoice")
        customer = invoice["customer"]
        if params.get("currency", invoice["currency"]) != invoice["currency"]:
            raise refused("The currency differs from the invoice's.", param="currency")
    if customer is None:
        raise refused(
            "Missing required param: customer.",
            code="parameter_missing",
            param="customer",
        )
    ctx.store.get("customer", customer, param="customer")
    currency = invoice["currency"] if invoice else params.get("currency")
    if currency is None:
        raise refused(
            "Missing required param: currency.",
            code="parameter_missing",
            param="currency",
        )
    item = _build(
        ctx,
        ctx.store.new_ids("ii")[0],
        params,
        customer=customer,
        currency=currency,
        invoice=invoice["id"] if invoice else None,
    )
    ctx.store.insert(item)
    ctx.emit("invoiceitem.created", item)
    return item


def retrieve_item(
    ctx: Context, params: dict[str, Any], *, invoiceitem: str
) -> dict[str, Any]:
    """GET /v1/invoiceitems/{invoiceitem}"""
    return ctx.store.get("invoiceitem", invoiceitem)


def delete_item(
    ctx: Context, params: dict[str, Any], *, invoiceitem: str
) -> dict[str, Any]:
    """DELETE /v1/invoiceitems/{invoiceitem}"""
    item = ctx.store.get("invoiceitem", invoiceitem)
    if item["invoice"]:
        require_draft(ctx.store.get("invoice", item["invoice"]))
    ctx.store.remove(invoiceitem)
    ctx.emit("invoiceitem.deleted", item)
    return {"id": invoiceitem, "object": "invoiceitem", "deleted": True}


def list_items(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """GET /v1/invoiceitems"""
    filters = {name: params[name] for name in ("customer", "invoice") if name in params}
    conditions: tuple[Any, ...] = ()
    if "pending" in params:
        unassigned = objects.c.invoice.is_(None)
        conditions = (unassigned if params["pending"] else ~unassigned,)
    found, more = ctx.store.page(
        "invoiceitem", params, filters=filters, conditions=conditions
    )
    return list_of("/v1/invoiceitems", [public(item) for item in found], more)


def list_lines(ctx: Context, params: dict[str, Any], *, invoice: str) -> dict[str, Any]:
    """GET /v1/invoices/{invoice}/lines"""
    ctx.store.get("invoice", invoice)
    return lines_page(ctx, invoice, params)


def lines_page(ctx: Context, invoice_id: str, params: dict[str, Any]) -> dict[str, Any]:
    """A page of an invoice's lines, in the order they were added."""
    cursors = {
        name: _item_id(params[name])
        for name in ("starting_after", "ending_before")
        if name in params
    }
    found, more = ctx.store.page(
        "invoiceitem",
        {**params, **cursors},
        filters={"invoice": invoice_id},
        oldest_first=True,
    )
    url = f"/v1/invoices/{invoice_id}/lines"
    return list_of(url, [line_of(item) for item in found], more)


def add_lines(ctx: Context, invoice: dict[str, Any], wanted: list[Any]) -> None:
    """All or nothing (assumed, fact 18): the caller's savepoint undoes a failure."""
    require_draft(invoice)
    require_room(ctx, invoice["id"], len(wanted))
    ids = ctx.store.new_ids("ii", len(wanted)) if wanted else []
    created = []
    for index, (item_id, params) in enumerate(zip(ids, wanted, strict=True)):
        path = f"lines[{index}]"
        if "invoice_item" in params:
            _assign(ctx, invoice, params, path)
            continue
        created.append(
            _build(
                ctx,
                item_id,
                params,
                customer=invoice["customer"],
                currency=invoice["currency"],
                invoice=invoice["id"],
                path=path,
            )
        )
    ctx.store.insert(*created)
    ctx.emit("invoiceitem.created", *created)


def _assign(
    ctx: Context, invoice: dict[str, Any], params: dict[str, Any], path: str
) -> None:
    if params.keys() - {"invoice_item"}:
        raise refused("invoice_item cannot be combined with other fields.", param=path)
    item = ctx.store.get("invoiceitem", params["invoice_item"], param=path)
    if item["invoice"] or item["customer"] != invoice["customer"]:
        raise refused("The invoice item is not pending on this customer.", param=path)
    if item["currency"] != invoice["currency"]:
        raise refused("The currency differs from the invoice's.", param=path)
    item["invoice"] = invoice["id"]
    ctx.store.save(item)


def remove_lines(ctx: Context, invoice: dict[str, Any], wanted: list[Any]) -> None:
    """Delete lines, or put their items back among the customer's pending ones."""
    require_draft(invoice)
    for index, params in enumerate(wanted):
        item = ctx.store.find("invoiceitem", _item_id(params["id"]))
        if item is None or item["invoice"] != invoice["id"]:
            raise missing("line_item", params["id"], param=f"lines[{index}][id]")
        if params["behavior"] == "delete":
            ctx.store.remove(item["id"])
            ctx.emit("invoiceitem.deleted", item)
        else:
            item["invoice"] = None
            ctx.store.save(item)


def update_lines(ctx: Context, invoice: dict[str, Any], wanted: list[Any]) -> None:
    """Change lines of a draft in place."""
    require_draft(invoice)
    for index, params in enumerate(wanted):
        item = ctx.store.find("invoiceitem", _item_id(params["id"]))
        if item is None or item["invoice"] != invoice["id"]:
            raise missing("line_item", params["id"], param=f"lines[{index}][id]")
        rebuilt = _build(
            ctx,
            item["id"],
            {
                "amount": item["amount"],
                "description": item["description"],
                "period": item["period"],
                **{k: v for k, v in params.items() if k not in ("id", "metadata")},
            },
            customer=item["customer"],
            currency=item["currency"],
            invoice=invoice["id"],
            path=f"lines[{index}]",
        )
        rebuilt["date"] = item["date"]
        rebuilt["metadata"] = merge_metadata(item["metadata"], params.get("metadata"))
        ctx.store.save(rebuilt)
