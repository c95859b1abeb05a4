"""Finding, making and filling the one draft that an invoice is published from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import stripe

from .calls import Caller
from .gate import (
    CONTENT_HASH,
    ENV,
    GENERATION,
    INVOICE_ID,
    LINE_ID,
    invoice_metadata,
    line_params,
    ordered,
)
from .rows import InvoiceRequest, PublishState

LINES_PER_CALL = 50
# Our clock and Stripe's may differ when we look for what we created.
CLOCK_SLACK = timedelta(hours=1)


class Stop(Exception):
    """This invoice cannot go on without a person.

    ``state`` is what the run reports; ``journal_state`` what the journal keeps, which
    stays ``published`` for an invoice that is out.
    """

    def __init__(
        self,
        error: str,
        *,
        state: PublishState = "failed",
        journal_state: PublishState | None = None,
        new_keys: bool = False,
        **values: Any,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.state = state
        self.journal_state = journal_state or state
        self.new_keys = new_keys
        self.values = values


def is_ours(item: Mapping[str, Any], environment: str, invoice_id: str) -> bool:
    """Whether a Stripe object carries our metadata for this invoice."""
    marks = item.get("metadata") or {}
    return marks.get(ENV) == environment and marks.get(INVOICE_ID) == invoice_id


class Drafts:
    """The draft of one request: adopt, create, converge, delete."""

    def __init__(
        self,
        request: InvoiceRequest,
        caller: Caller,
        environment: str,
        content_hash: str,
    ) -> None:
        self.request = request
        self.caller = caller
        self.environment = environment
        self.content_hash = content_hash

    # -- adopt --------------------------------------------------------------------

    def adopt(self, *, everywhere: bool) -> dict[str, Any] | None:
        """What an earlier try left at Stripe: a finalized invoice, a usable draft, or
        ``None``. Drafts of other content are deleted on the way."""
        found = self.find(everywhere=everywhere)
        row = self.caller.row
        final = [
            item
            for item in found
            if item["status"] != "draft"
            and not (item["status"] == "void" and _generation(item) < row.generation)
        ]
        if len(final) > 1:
            ids = ", ".join(item["id"] for item in final)
            raise Stop(f"several_finalized: {ids}; decide by hand which one stands")
        drafts = [item for item in found if item["status"] == "draft"]
        same = [item for item in drafts if _hash(item) == self.content_hash]
        # Lists are newest first: the last of equal age is the oldest.
        keep = min(reversed(same), key=lambda item: item["created"]) if same else None
        doomed = [item for item in drafts if final or item is not keep]
        if final:
            self._delete(doomed)
            return final[0]
        changed = row.content_hash != self.content_hash
        lost = row.stripe_invoice_id not in (None, *(item["id"] for item in same))
        if keep is None and (doomed or changed or lost):
            # Written before deleting: a key of this generation may answer with the
            # id of the draft that is about to go.
            self.caller.row = self.caller.journal.change(
                row,
                now=self.caller.clock(),
                state="intent",
                generation=row.generation + 1,
                content_hash=self.content_hash,
                stripe_invoice_id=None,
                subtotal_minor=self.request.subtotal_minor,
                currency=self.request.currency,
                stripe_customer_id=self.request.stripe_customer_id,
            )
        self._delete(doomed)
        if keep is not None:
            self._remember(keep)
        return keep

    def find(self, *, everywhere: bool) -> list[dict[str, Any]]:
        """All that Stripe has of this invoice, newest first."""
        row = self.caller.row
        if row.stripe_invoice_id and not everywhere:
            known = self._retrieve(row.stripe_invoice_id)
            if known is not None:
                if not is_ours(known, self.environment, self.request.invoice_id):
                    raise Stop(
                        f"not_ours: {known['id']} lost our metadata; restore it or"
                        " clear the journal row by hand"
                    )
                return [known]
        params: dict[str, Any] = {"customer": self.request.stripe_customer_id}
        if not everywhere:
            since = row.first_try_at - CLOCK_SLACK
            params["created"] = {"gte": int(since.timestamp())}
        invoices = self.caller.pages(
            "list_invoices", lambda v1, wanted: v1.invoices.list(wanted), params
        )
        return [
            item
            for item in invoices
            if is_ours(item, self.environment, self.request.invoice_id)
        ]

    def _retrieve(self, invoice_id: str) -> dict[str, Any] | None:
        try:
            return self.caller.call(
                "retrieve",
                lambda v1, _options: v1.invoices.retrieve(invoice_id),
                stripe_id=invoice_id,
                keyed=False,
            )
        except stripe.InvalidRequestError as error:
            if error.http_status == 404:
                return None
            raise

    def check_finalized(self, invoice: dict[str, Any]) -> None:
        """Stop unless a finalized invoice found at Stripe says what we would say."""
        facts = {"stripe_invoice_id": invoice["id"], "stripe_status": invoice["status"]}
        if invoice["status"] == "void":
            raise Stop(
                f"void_at_stripe: {invoice['id']} was voided; reopen it to publish"
                " anew",
                state="refused",
                **facts,
            )
        found = _hash(invoice)
        if found != self.content_hash:
            raise Stop(
                f"changed_after_publication: {invoice['id']} was finalized as"
                f" {found[:16]}, now {self.content_hash[:16]}; correct it by credit or"
                " by void and regenerate",
                state="refused",
                journal_state="published",
                content_hash=found,
                stripe_number=invoice["number"],
                hosted_invoice_url=invoice["hosted_invoice_url"],
                subtotal_minor=invoice["subtotal"],
                total_minor=invoice["total"],
                published_at=self.caller.row.published_at or self.caller.clock(),
                **facts,
            )
        differences = self._differences(invoice, self._lines(invoice["id"]))
        if differences:
            raise Stop(
                f"finalized_differs: {invoice['id']}: {'; '.join(differences)}",
                **facts,
            )

    # -- create -------------------------------------------------------------------

    def create(self) -> dict[str, Any]:
        """An empty draft that Stripe will not advance by itself."""
        request, row = self.request, self.caller.row
        params: dict[str, Any] = {
            "customer": request.stripe_customer_id,
            "currency": request.currency,
            "collection_method": request.collection_method,
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "metadata": invoice_metadata(
                request, self.environment, self.content_hash, row.generation
            ),
        }
        if request.days_until_due is not None:
            params["days_until_due"] = request.days_until_due
        if request.description:
            params["description"] = request.description
        invoice = self.caller.call(
            "create", lambda v1, options: v1.invoices.create(params, options)
        )
        if self.caller.replayed:
            # The stored answer shows the draft as it was born; see what became of it.
            now = self._retrieve(invoice["id"])
            if now is None:
                raise Stop(
                    f"draft_deleted: {invoice['id']} was made and deleted before; run"
                    " again",
                    new_keys=True,
                )
            invoice = now
        self._remember(invoice)
        return invoice

    def _remember(self, draft: dict[str, Any]) -> None:
        self.caller.row = self.caller.journal.change(
            self.caller.row,
            now=self.caller.clock(),
            state="drafted",
            stripe_invoice_id=draft["id"],
            stripe_status=draft["status"],
            content_hash=self.content_hash,
        )

    # -- converge and compare -----------------------------------------------------

    def converge(self, draft: dict[str, Any]) -> dict[str, Any]:
        """Make the draft carry exactly our lines; the draft as Stripe then has it.

        The same code fills a new draft and repairs a half-filled one. Raises `Stop`
        if the result differs in subtotal, currency, line count or any amount.
        """
        present = self._lines(draft["id"]) if draft["lines"]["data"] else []
        wanted = {line.line_id: line for line in self.request.lines}
        good: set[str] = set()
        remove: list[dict[str, str]] = []
        for item in present:
            line = wanted.get(item["metadata"].get(LINE_ID, ""))
            ours = is_ours(item, self.environment, self.request.invoice_id)
            fits = ours and line is not None and line.amount_minor == item["amount"]
            if line is not None and fits and line.line_id not in good:
                good.add(line.line_id)
                continue
            # What is not ours goes back to the customer's pending items unharmed.
            behavior = "delete" if ours else "unassign"
            remove.append({"id": item["id"], "behavior": behavior})
        missing = [line for line in ordered(self.request) if line.line_id not in good]
        for chunk in _chunks(remove):
            self._edit("remove_lines", draft["id"], chunk, [e["id"] for e in chunk])
        for part in _chunks(missing):
            params = [
                line_params(self.request, line, self.environment) for line in part
            ]
            names = [line.line_id for line in part]
            self._edit("add_lines", draft["id"], params, names)
        if remove or missing:
            draft = self.caller.call(
                "retrieve",
                lambda v1, _options: v1.invoices.retrieve(draft["id"]),
                stripe_id=draft["id"],
                keyed=False,
            )
            present = self._lines(draft["id"])
        differences = self._differences(draft, present)
        if differences:
            raise Stop(
                f"draft_differs: {draft['id']}: {'; '.join(differences)}",
                new_keys=True,
            )
        return draft

    def _edit(
        self, operation: str, draft_id: str, entries: list[Any], names: list[str]
    ) -> None:
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
        self.caller.call(
            operation,
            lambda v1, options: getattr(v1.invoices, operation)(
                draft_id, {"lines": entries}, options
            ),
            stripe_id=draft_id,
            part=digest,
        )

    def _lines(self, invoice_id: str) -> list[dict[str, Any]]:
        return list(
            self.caller.pages(
                "list_lines",
                lambda v1, wanted: v1.invoices.line_items.list(invoice_id, wanted),
                {},
            )
        )

    def _differences(
        self, invoice: Mapping[str, Any], present: list[dict[str, Any]]
    ) -> list[str]:
        request = self.request
        pairs = [
            ("subtotal", invoice["subtotal"], request.subtotal_minor),
            ("currency", invoice["currency"], request.currency),
            ("customer", invoice["customer"], request.stripe_customer_id),
            ("lines", len(present), request.line_count),
        ]
        found = {item["metadata"].get(LINE_ID): item["amount"] for item in present}
        pairs += [
            (f"line {line.line_id}", found.get(line.line_id), line.amount_minor)
            for line in request.lines
        ]
        return [
            f"{name} is {theirs}, not {ours}"
            for name, theirs, ours in pairs
            if theirs != ours
        ]

    # -- delete -------------------------------------------------------------------

    def _delete(self, drafts: list[dict[str, Any]]) -> None:
        for draft in drafts:
            delete_draft(self.caller, draft["id"])
        if drafts:
            self._delete_leftovers()

    def _delete_leftovers(self) -> None:
        """Whether a draft's items go with it is not documented (fact 17)."""
        pending = self.caller.pages(
            "list_pending",
            lambda v1, wanted: v1.invoice_items.list(wanted),
            {"customer": self.request.stripe_customer_id, "pending": True},
        )
        for item in list(pending):
            if is_ours(item, self.environment, self.request.invoice_id):
                delete_item(self.caller, item["id"])


def delete_draft(caller: Caller, invoice_id: str) -> None:
    """Delete a draft; one that is already gone is as good."""
    _delete_if_there(
        caller,
        "delete_draft",
        lambda v1, _options: v1.invoices.delete(invoice_id),
        invoice_id,
    )


def delete_item(caller: Caller, item_id: str) -> None:
    """Delete an invoice item; one that is already gone is as good."""
    _delete_if_there(
        caller,
        "delete_item",
        lambda v1, _options: v1.invoice_items.delete(item_id),
        item_id,
    )


def _delete_if_there(caller: Caller, operation: str, send: Any, stripe_id: str) -> None:
    try:
        caller.call(operation, send, stripe_id=stripe_id, keyed=False)
    except stripe.InvalidRequestError as error:
        if error.http_status != 404:
            raise


def _hash(invoice: Mapping[str, Any]) -> str:
    return str(invoice["metadata"].get(CONTENT_HASH, ""))


def _generation(invoice: Mapping[str, Any]) -> int:
    return int(invoice["metadata"].get(GENERATION, "1"))


def _chunks(items: list[Any]) -> list[list[Any]]:
    return [
        items[start : start + LINES_PER_CALL]
        for start in range(0, len(items), LINES_PER_CALL)
    ]
