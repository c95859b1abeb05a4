"""What happens by itself as the clock moves: finalization, collection, dunning,
overdue invoices, payers who pay late, payouts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from . import invoices, payments
from .context import DAY, Context, private
from .store import Store, objects


def next_due(connection: Connection, until: int) -> tuple[int, str, str] | None:
    """(moment, account, object id) of the earliest thing due by ``until``."""
    row = connection.execute(
        select(objects.c.due_at, objects.c.account_id, objects.c.id)
        .where(objects.c.due_at <= until)
        .order_by(objects.c.due_at, objects.c.account_id, objects.c.seq)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


def act(connection: Connection, moment: int, account_id: str, object_id: str) -> str:
    """Do what is due; a line that says what was done."""
    ctx = Context(Store(connection, account_id), moment)
    transaction = ctx.store.find("balance_transaction", object_id)
    if transaction is not None:
        payout = payments.pay_out(ctx, transaction["currency"])
        return f"payout {payout} {transaction['currency']}"
    return _act_on_invoice(ctx, ctx.store.get("invoice", object_id))


def _act_on_invoice(ctx: Context, invoice: dict[str, Any]) -> str:
    name = invoice["id"]
    if invoice["status"] == "draft":
        invoices.finalize(ctx, invoice, True)
        return f"finalized {name}"
    notes = private(invoice)
    old = dict(invoice)
    # A payer who pays on the due date is on time, hence before "overdue".
    if notes.get("pays_at") is not None and notes["pays_at"] <= ctx.now:
        notes["pays_at"] = None
        payments.charge(ctx, invoice, kind="customer_balance")
        _paid(ctx, invoice, old)
        return f"paid by the customer {name}"
    if invoice["due_date"] is not None and invoice["due_date"] <= ctx.now:
        notes["overdue"] = True
        invoices.save(ctx, invoice, old, "invoice.overdue")
        return f"overdue {name}"
    return _collect(ctx, invoice, old)


def _collect(ctx: Context, invoice: dict[str, Any], old: dict[str, Any]) -> str:
    name = invoice["id"]
    try:
        payments.charge(ctx, invoice)
    except payments.Declined as declined:
        tries = invoice["attempt_count"]
        waits = payments.RETRY_AFTER_DAYS
        invoice["next_payment_attempt"] = (
            ctx.now + waits[tries - 1] * DAY if tries <= len(waits) else None
        )
        invoices.save(ctx, invoice, old, "invoice.payment_failed")
        return f"payment failed {name} (attempt {tries}): {declined}"
    _paid(ctx, invoice, old)
    return f"collected {name}"


def _paid(ctx: Context, invoice: dict[str, Any], old: dict[str, Any]) -> None:
    invoices.save(ctx, invoice, old, "invoice.paid", "invoice.payment_succeeded")
