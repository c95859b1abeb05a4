"""Voiding: what Stripe has of a void invoice is deleted while it is a draft, and voided
while nobody has paid it. What is paid stays, for a person to refund.

As in publishing, an intent is in the journal before every call, and what Stripe has is
looked at before it is touched: a run that was killed is repeated as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import stripe

from .calls import Caller
from .drafts import Drafts, Stop, delete_draft
from .journal import PublishJournal
from .publisher import (
    PublishPolicy,
    PublishRun,
    failure,
    result_of,
    utc_now,
)
from .rows import InvoiceRequest, PublishResult

PAID = "void_here_paid_in_stripe"


def void(
    requests: Iterable[InvoiceRequest],
    *,
    clients: Mapping[str, stripe.StripeClient],
    journal: PublishJournal,
    environment: str,
    clock: Callable[[], datetime] = utc_now,
    policy: PublishPolicy | None = None,
) -> list[PublishResult]:
    """Void invoices in Stripe; one result each, in their order.

    ``voided`` means that Stripe has nothing of it that could be paid, also when it
    never had. Safe to repeat and safe to kill at any moment, as `publisher.publish`;
    lines of the requests are not read.
    """
    run = _VoidRun(clients, journal, environment, clock, policy or PublishPolicy())
    return run.publish(list(requests))


class _VoidRun(PublishRun):
    def _publish(self, request: InvoiceRequest) -> PublishResult:
        row = self.journal.get(request.account, request.invoice_id)
        if row is not None and row.state == "voided":
            return result_of(row)
        if row is not None and row.environment != self.environment:
            text = f"environment_differs: the journal has it under {row.environment!r}"
            return replace(failure(request, text), state="refused")
        if request.account not in self.clients:
            return failure(request, f"unknown_account: {request.account}")
        if request.account in self.shut_out:
            return failure(request, self.shut_out[request.account])
        known = self.journal.knows_customer(request.account, request.stripe_customer_id)
        look = self.policy.search_all or not known
        if row is None and not look:
            return PublishResult(request.invoice_id, request.account, "voided")
        now = self.clock()
        if row is None:
            row = self.journal.intend(
                request, "", environment=self.environment, now=now, state="voiding"
            )
        look = look or row.stripe_invoice_id is None
        return self._attempts(
            request,
            row,
            lambda caller, _: self._withdraw(request, caller, look=look),
        )

    def _withdraw(
        self, request: InvoiceRequest, caller: Caller, *, look: bool
    ) -> PublishResult:
        drafts = Drafts(request, caller, self.environment, caller.row.content_hash)
        found = drafts.find(everywhere=look)
        for invoice in found:
            if invoice["status"] == "paid" or invoice["amount_paid"] > 0:
                raise Stop(
                    f"{PAID}: {invoice['id']} has {invoice['amount_paid']} of"
                    f" {invoice['total']} paid; refund it there",
                    state="refused",
                    journal_state="published",
                    stripe_invoice_id=invoice["id"],
                    stripe_status=invoice["status"],
                )
        caller.row = self.journal.change(caller.row, now=self.clock(), state="voiding")
        status = None
        for invoice in found:
            status = self._end(caller, invoice)
        caller.row = self.journal.change(
            caller.row,
            now=self.clock(),
            state="voided",
            stripe_status=status,
            last_error=None,
        )
        return replace(result_of(caller.row), requests=caller.sent)

    def _end(self, caller: Caller, invoice: dict[str, Any]) -> str:
        """Make an invoice one that nobody can pay; its status then."""
        if invoice["status"] == "draft":
            delete_draft(caller, invoice["id"])
            return "deleted"
        if invoice["status"] != "void":
            caller.call(
                "void",
                lambda v1, options: v1.invoices.void_invoice(
                    invoice["id"], {}, options
                ),
                stripe_id=invoice["id"],
            )
        return "void"
