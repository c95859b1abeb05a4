"""Publishing: each closed invoice becomes exactly one Stripe invoice.

Draft first, an intent in the journal before every call, adopt before create, converge
the lines, compare, then finalize. Why each step is there shows
the crash test, which kills the publisher at every request.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe
from sqlalchemy.exc import SQLAlchemyError

from .calls import Caller
from .clients import redact
from .drafts import Drafts, Stop
from .gate import CONTENT_HASH, content_hash, gate
from .journal import CustomerLocked, JournalRow, PublishJournal
from .retry import RetryPolicy, describe, outcome_of
from .rows import InvoiceRequest, PublishResult

log = logging.getLogger(__name__)

# Stripe forgets a key after 24 h; an hour is left for clocks that differ.
KEY_AGE = timedelta(hours=23)


def utc_now() -> datetime:
    """The real present."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class PublishPolicy:
    """How a run goes about it.

    ``passes``: how often the whole algorithm is tried for an invoice that got a 5xx.
    ``search_all``: look through all invoices of a customer before creating one (use
    after the operations store was restored from a backup). ``send_emails``: call
    ``send`` after finalizing a ``send_invoice`` invoice.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    passes: int = 2
    lock_timeout: float = 60.0
    search_all: bool = False
    send_emails: bool = True
    refuse_below_minimum: bool = False


def publish(
    requests: Iterable[InvoiceRequest],
    *,
    clients: Mapping[str, stripe.StripeClient],
    journal: PublishJournal,
    environment: str,
    clock: Callable[[], datetime] = utc_now,
    policy: PublishPolicy | None = None,
    on_result: Callable[[PublishResult], None] | None = None,
) -> list[PublishResult]:
    """Publish requests; one result each, in their order.

    Safe to repeat and safe to kill at any moment. One invoice that fails does not
    stop the others: its result says ``failed`` or ``refused`` and why. ``clock`` must
    be the time Stripe lives in: real time for Stripe, ``sandbox.now`` for a sandbox.
    Raises only when the journal itself cannot be written.
    """
    run = PublishRun(
        clients, journal, environment, clock, policy or PublishPolicy(), on_result
    )
    return run.publish(list(requests))


class PublishRun:
    """One run over requests, customer by customer, each under its lock."""

    def __init__(
        self,
        clients: Mapping[str, stripe.StripeClient],
        journal: PublishJournal,
        environment: str,
        clock: Callable[[], datetime],
        policy: PublishPolicy,
        on_result: Callable[[PublishResult], None] | None = None,
    ) -> None:
        self.clients = clients
        self.journal = journal
        self.environment = environment
        self.clock = clock
        self.policy = policy
        self.on_result = on_result
        # Accounts whose key Stripe refused: asking again for every invoice is noise.
        self.shut_out: dict[str, str] = {}

    def publish(self, requests: list[InvoiceRequest]) -> list[PublishResult]:
        results: dict[int, PublishResult] = {}
        customers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            customers[request.account, request.stripe_customer_id].append(index)
        for (account, customer), indexes in customers.items():
            try:
                with self.journal.lock(
                    account, customer, timeout=self.policy.lock_timeout
                ):
                    for index in indexes:
                        results[index] = self._tell(self._publish(requests[index]))
            except CustomerLocked:
                for index in indexes:
                    result = failure(
                        requests[index],
                        "customer_locked: another publisher is at work",
                    )
                    results[index] = self._tell(result)
        return [results[index] for index in range(len(requests))]

    def _tell(self, result: PublishResult) -> PublishResult:
        if result.error:
            log.warning(
                "invoice %s %s: %s", result.invoice_id, result.state, result.error
            )
        if self.on_result:
            self.on_result(result)
        return result

    def _publish(self, request: InvoiceRequest) -> PublishResult:
        reasons = gate(
            request,
            environment=self.environment,
            accounts=self.clients,
            refuse_below_minimum=self.policy.refuse_below_minimum,
        )
        row = self.journal.get(request.account, request.invoice_id)
        if row is not None and row.environment != self.environment:
            reasons.append(
                f"environment_differs: the journal has it under {row.environment!r}"
            )
        if reasons:
            return self._refuse(request, row, "; ".join(reasons))
        wanted = content_hash(request, self.environment)
        if row is not None and row.state == "published":
            if row.content_hash == wanted:
                return result_of(row)
            return self._refuse(
                request,
                row,
                f"changed_after_publication: published as {row.content_hash[:16]}, now"
                f" {wanted[:16]}; correct it by credit or by void and regenerate",
            )
        if request.account in self.shut_out:
            return failure(request, self.shut_out[request.account])
        return self._try(request, row, wanted)

    def _refuse(
        self, request: InvoiceRequest, row: JournalRow | None, error: str
    ) -> PublishResult:
        now = self.clock()
        if row is None:
            row = self.journal.intend(
                _journalable(request),
                "",
                environment=self.environment,
                now=now,
                state="refused",
                error=error,
            )
        elif row.state == "published" or row.environment != self.environment:
            # What Stripe holds stays on record; only the refusal is noted.
            row = self.journal.change(row, now=now, last_error=error)
        else:
            row = self.journal.change(row, now=now, state="refused", last_error=error)
        return replace(result_of(row), state="refused", error=error)

    def _try(
        self, request: InvoiceRequest, row: JournalRow | None, wanted: str
    ) -> PublishResult:
        fresh = row is None or row.content_hash == ""
        now = self.clock()
        if row is None:
            row = self.journal.intend(
                request, wanted, environment=self.environment, now=now
            )
        elif fresh:
            # Refused by the gate until now, so nothing was ever sent.
            row = self.journal.change(
                row,
                now=now,
                state="intent",
                content_hash=wanted,
                customer_id=request.customer_id,
                stripe_customer_id=request.stripe_customer_id,
                currency=request.currency,
                subtotal_minor=request.subtotal_minor,
                first_try_at=now,
                attempt_started_at=now,
                last_error=None,
            )
        return self._attempts(
            request,
            row,
            lambda caller, number: self._once(
                request, caller, wanted, fresh=fresh and number == 1
            ),
        )

    def _attempts(
        self,
        request: InvoiceRequest,
        row: JournalRow,
        attempt: Callable[[Caller, int], PublishResult],
    ) -> PublishResult:
        """`attempt` with its number from 1, again where Stripe itself has failed, until
        it returns or the policy's passes are used up."""
        now = self.clock()
        caller = Caller(
            self.clients[request.account],
            self.journal,
            row,
            clock=self.clock,
            retry=self.policy.retry,
        )
        for number in range(1, self.policy.passes + 1):
            if now - caller.row.attempt_started_at > KEY_AGE:
                caller.row = self.journal.next_attempt(caller.row, now=now)
            try:
                return attempt(caller, number)
            except Stop as stop:
                return self._stopped(caller, stop)
            except stripe.StripeError as error:
                self._failed(caller, error)
                if (error.http_status or 0) < 500:
                    break
            except SQLAlchemyError:
                raise
            except Exception as error:
                log.exception("invoice %s", request.invoice_id)
                text = redact(f"internal: {type(error).__name__}: {error}")
                caller.row = self.journal.change(
                    caller.row, now=self.clock(), state="failed", last_error=text
                )
                break
        return replace(result_of(caller.row), requests=caller.sent)

    def _failed(self, caller: Caller, error: stripe.StripeError) -> None:
        now = self.clock()
        text = describe(error)
        caller.row = self.journal.change(
            caller.row,
            now=now,
            state="failed",
            last_error=text,
            request_id=error.request_id,
        )
        if outcome_of(error) == "definitive":
            # The answer is stored for the key and would be replayed for 24 h.
            caller.row = self.journal.next_attempt(caller.row, now=now)
        if error.http_status == 401:
            self.shut_out[caller.row.account] = text

    def _stopped(self, caller: Caller, stop: Stop) -> PublishResult:
        now = self.clock()
        caller.row = self.journal.change(
            caller.row,
            now=now,
            state=stop.journal_state,
            last_error=stop.error,
            **stop.values,
        )
        if stop.new_keys:
            caller.row = self.journal.next_attempt(caller.row, now=now)
        result = result_of(caller.row)
        return replace(result, state=stop.state, error=stop.error, requests=caller.sent)

    def _once(
        self, request: InvoiceRequest, caller: Caller, wanted: str, *, fresh: bool
    ) -> PublishResult:
        """One pass of the algorithm: adopt, draft, converge, compare, finalize."""
        drafts = Drafts(request, caller, self.environment, wanted)
        known = self.journal.knows_customer(request.account, request.stripe_customer_id)
        look = self.policy.search_all or not known
        invoice = None
        if look or not fresh:
            invoice = drafts.adopt(everywhere=look)
        if invoice is not None and invoice["status"] != "draft":
            drafts.check_finalized(invoice)
            return self._finish(request, caller, invoice)
        if invoice is None:
            invoice = drafts.create()
        if invoice["status"] == "draft":
            invoice = drafts.converge(invoice)
            if request.held or not request.auto_finalize:
                return self._hold(caller, invoice)
            invoice = caller.call(
                "finalize",
                lambda v1, options: v1.invoices.finalize_invoice(
                    invoice["id"], {"auto_advance": True}, options
                ),
                stripe_id=invoice["id"],
            )
        else:
            drafts.check_finalized(invoice)
        return self._finish(request, caller, invoice)

    def _hold(self, caller: Caller, invoice: dict[str, Any]) -> PublishResult:
        caller.row = self.journal.change(
            caller.row,
            now=self.clock(),
            state="held",
            last_error=None,
            **facts_of(invoice),
        )
        return replace(result_of(caller.row), requests=caller.sent)

    def _finish(
        self, request: InvoiceRequest, caller: Caller, invoice: dict[str, Any]
    ) -> PublishResult:
        error = None
        wants_mail = (
            self.policy.send_emails
            and request.collection_method == "send_invoice"
            and invoice["status"] == "open"
        )
        if wants_mail and not self.journal.done(caller.row, "send", invoice["id"]):
            try:
                caller.call(
                    "send",
                    lambda v1, options: v1.invoices.send_invoice(
                        invoice["id"], {}, options
                    ),
                    stripe_id=invoice["id"],
                )
            except stripe.InvalidRequestError as refusal:
                # The invoice is out, only its mail is not: that must not keep it
                # from being published, nor be hidden.
                error = f"mail_not_sent: {describe(refusal)}"
        now = self.clock()
        caller.row = self.journal.change(
            caller.row,
            now=now,
            state="published",
            content_hash=invoice["metadata"][CONTENT_HASH],
            published_at=caller.row.published_at or now,
            last_error=error,
            **facts_of(invoice),
        )
        return replace(result_of(caller.row), error=error, requests=caller.sent)


def facts_of(invoice: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal keeps of a Stripe invoice."""
    return {
        "stripe_invoice_id": invoice["id"],
        "stripe_number": invoice["number"],
        "stripe_status": invoice["status"],
        "hosted_invoice_url": invoice["hosted_invoice_url"],
        "subtotal_minor": invoice["subtotal"],
        "total_minor": invoice["total"],
        "tax_minor": sum(tax["amount"] for tax in invoice["total_taxes"] or []),
    }


def _journalable(request: InvoiceRequest) -> InvoiceRequest:
    # A refused request may hold anything; the journal's integer column may not.
    whole = isinstance(request.subtotal_minor, int)
    return request if whole else replace(request, subtotal_minor=0)


def failure(request: InvoiceRequest, error: str) -> PublishResult:
    """A request that nothing was done for."""
    return PublishResult(request.invoice_id, request.account, "failed", error=error)


def result_of(row: JournalRow) -> PublishResult:
    """What the journal says of an invoice, as a result."""
    return PublishResult(
        invoice_id=row.invoice_id,
        account=row.account,
        state=row.state,
        stripe_invoice_id=row.stripe_invoice_id,
        stripe_number=row.stripe_number,
        hosted_url=row.hosted_invoice_url,
        stripe_status=row.stripe_status,
        subtotal_minor=row.subtotal_minor,
        total_minor=row.total_minor,
        tax_minor=row.tax_minor,
        generation=row.generation,
        attempt=row.attempt,
        error=None if row.state in ("published", "held", "voided") else row.last_error,
    )
